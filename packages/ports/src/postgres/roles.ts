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

type Wanted = { readonly name: string; readonly bypassesRls: boolean; readonly password: string };
type Powers = {
  readonly rolsuper: boolean;
  readonly rolbypassrls: boolean;
  readonly rolcreaterole: boolean;
  readonly rolcreatedb: boolean;
};

/**
 * Makes the roles, or gives existing ones these passwords, and sees that they have exactly their powers. The client is a superuser, or may
 * make roles: `patchbay_owner` bypasses row security, which only somebody who does so too can give away. Throws a sentence where the powers
 * are not to be had. Sends verifiers, never passwords, so that no log of the server can hold one. Runs in a transaction of its own.
 */
export async function ensureRoles(client: SqlClient, { appPassword, portsPassword, ownerPassword }: RolePasswords): Promise<void> {
  const wanted: Wanted[] = [
    { name: ROLES.app, bypassesRls: false, password: appPassword },
    { name: ROLES.ports, bypassesRls: false, password: portsPassword },
  ];
  // Row security is forced on the owner too; its SECURITY DEFINER functions are the listed ways around it.
  if (ownerPassword !== undefined) wanted.push({ name: ROLES.owner, bypassesRls: true, password: ownerPassword });
  await client.query('begin');
  try {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    const admin = await powersOf(client, null);
    for (const role of wanted) await ensureRole(client, admin, role);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function ensureRole(client: SqlClient, admin: Powers | null, { name, bypassesRls, password }: Wanted): Promise<void> {
  const found = await powersOf(client, name);
  const role = pg.escapeIdentifier(name);
  const secret = `password ${pg.escapeLiteral(verifier(password))}`;
  const powers = `${POWERLESS} ${bypassesRls ? 'bypassrls' : 'nobypassrls'}`;
  if (found === null && bypassesRls && admin?.rolsuper !== true && admin?.rolbypassrls !== true)
    throw new Error(
      `this admin has CREATEROLE but neither SUPERUSER nor BYPASSRLS, and so cannot make ${name}, whose functions look across organisations. ` +
        `Have somebody who can run: create role ${name} ${POWERLESS} bypassrls; grant ${name} to the admin with admin option; then try again.`,
    );
  if (found === null) await client.query(`create role ${role} ${powers} ${secret}`);
  // Only a superuser may so much as name some of these powers of a role that exists.
  else await client.query(`alter role ${role} ${admin?.rolsuper === true ? powers : ''} ${secret}`);
  const now = await powersOf(client, name);
  if (now?.rolsuper !== false || now.rolcreaterole || now.rolcreatedb || now.rolbypassrls !== bypassesRls)
    throw new Error(`role ${name} exists with other powers than "${powers}", which this admin cannot change.`);
}

/** null for a role that does not exist; without a name, those of the client's own. */
async function powersOf(client: SqlClient, name: string | null): Promise<Powers | null> {
  const { rows } = await client.query(
    'select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = coalesce($1, current_user)',
    [name],
  );
  return (rows[0] as Powers | undefined) ?? null;
}

/** Makes the database, owned by `patchbay_owner`, where it is missing. Not in a transaction. */
export async function ensureDatabase(client: SqlClient, database: string): Promise<void> {
  const { rows } = await client.query('select 1 from pg_database where datname = $1', [database]);
  if (rows.length > 0) return;
  const owner = pg.escapeIdentifier(ROLES.owner);
  const isSuperuser = (await powersOf(client, null))?.rolsuper === true;
  // Whoever is no superuser gives a database away only to a role that it could become.
  if (!isSuperuser) await client.query(`grant ${owner} to current_user`);
  try {
    await client.query(`create database ${pg.escapeIdentifier(database)} owner ${owner}`);
  } finally {
    if (!isSuperuser) await client.query(`revoke ${owner} from current_user`);
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
