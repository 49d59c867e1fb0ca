import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import type { SqlClient } from './sql-client.ts';

/** Database roles of our programs (docs/architecture/trust-boundaries.md). */
export const ROLES = { owner: 'patchbay_owner', app: 'patchbay_app', ports: 'patchbay_ports' } as const;

export type RolePasswords = {
  readonly appPassword: string;
  readonly portsPassword: string;
  /** Makes `patchbay_owner` as well, who owns and migrates the schemas and whose functions may look across organisations. */
  readonly ownerPassword?: string;
};

const LOCK = 7_270_737_001;
const POWERLESS = 'login nosuperuser nocreatedb nocreaterole noreplication';
const ITERATIONS = 4_096;

/**
 * Makes the roles, or gives existing ones exactly these powers and passwords. Needs a client that may make roles (`patchbay_owner`: a superuser).
 * Sends verifiers, never passwords, so that no log of the server can hold one. Runs in a transaction of its own.
 */
export async function ensureRoles(client: SqlClient, { appPassword, portsPassword, ownerPassword }: RolePasswords): Promise<void> {
  const wanted: [string, string, string][] = [
    [ROLES.app, `${POWERLESS} nobypassrls`, appPassword],
    [ROLES.ports, `${POWERLESS} nobypassrls`, portsPassword],
  ];
  // Row security is forced on the owner too; its SECURITY DEFINER functions are the listed ways around it.
  if (ownerPassword !== undefined) wanted.push([ROLES.owner, `${POWERLESS} bypassrls`, ownerPassword]);
  await client.query('begin');
  try {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    for (const [name, powers, password] of wanted) {
      const { rows } = await client.query('select 1 from pg_roles where rolname = $1', [name]);
      const verb = rows.length === 0 ? 'create' : 'alter';
      await client.query(`${verb} role ${pg.escapeIdentifier(name)} ${powers} password ${pg.escapeLiteral(verifier(password))}`);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** SCRAM-SHA-256 verifier as Postgres stores it (RFC 5803). For ASCII passwords, which ours are. */
function verifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${hmac(salted, 'Server Key').toString('base64')}`;
}
