import { createHash } from 'node:crypto';
import { counterRights, COUNTERS } from './counters-schema.ts';
import { ROLES } from './roles.ts';
import type { SqlClient } from './sql-client.ts';

const LOCK = 7_270_737_002;

/** Unlogged: what lies here is derived or short-lived, and a crash of Postgres may empty it; `isEmpty` tells. */
const TABLES = `
create unlogged table ports.manifests (
  organisation_id uuid primary key,
  epoch integer not null,
  revision bigint not null,
  jws text not null
);
create unlogged table ports.parts (
  organisation_id uuid not null,
  hash text not null,
  bytes bytea not null,
  stored_at timestamptz not null default clock_timestamp(),
  primary key (organisation_id, hash)
);
create unlogged table ports.directory_revisions (
  organisation_id uuid primary key,
  revision bigint not null
);
create unlogged table ports.directory_tokens (
  organisation_id uuid not null,
  token_hash text not null,
  revision bigint not null,
  jws text not null,
  expires_at timestamptz,
  primary key (organisation_id, token_hash)
);
create index directory_tokens_expires_at_idx on ports.directory_tokens (expires_at);
-- The one table that is asked before the organisation is known.
create unlogged table ports.directory_organisations (
  slug text primary key,
  jws text not null
);
create unlogged table ports.shared_store (
  organisation_id uuid not null,
  key text not null,
  value text not null,
  expires_at timestamptz not null,
  primary key (organisation_id, key)
);
create index shared_store_expires_at_idx on ports.shared_store (expires_at);
${COUNTERS}`;

const RIGHTS = `
revoke all on schema ports from public, ${ROLES.app}, ${ROLES.ports};
revoke all on all tables in schema ports from public, ${ROLES.app}, ${ROLES.ports};
grant usage on schema ports to ${ROLES.app}, ${ROLES.ports};
grant select, insert, update, delete on all tables in schema ports to ${ROLES.app};
grant select on ports.manifests, ports.parts, ports.directory_revisions, ports.directory_tokens, ports.directory_organisations to ${ROLES.ports};
grant select, insert, update, delete on ports.shared_store to ${ROLES.ports};
${counterRights(`${ROLES.app}, ${ROLES.ports}`)}`;

/** Who may enter the database at all; also takes away everybody's right to make temporary tables. */
const DATABASE_RIGHTS = `
do $$ begin
  if (select pg_has_role(current_user, datdba, 'usage') from pg_database where datname = current_database()) then
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to ${ROLES.app}, ${ROLES.ports}', current_database());
  end if;
end $$;
`;

/** Changes whenever the tables' definition does: whoever skips migrations by a stamp puts it into the stamp. */
export const PORTS_SCHEMA_VERSION = createHash('sha256').update(TABLES).update(RIGHTS).update(DATABASE_RIGHTS).digest('hex').slice(0, 16);

/**
 * Brings the schema `ports` to this version, in a transaction of its own; the client's role owns it. The roles exist already (`ensureRoles`).
 * Tables of another version are dropped with what is in them: the control plane publishes everything again at its start.
 */
export async function migratePorts(ownerClient: SqlClient): Promise<void> {
  await ownerClient.query('begin');
  try {
    await ownerClient.query('select pg_advisory_xact_lock($1)', [LOCK]);
    const { rows } = await ownerClient.query(
      `select obj_description(oid, 'pg_namespace') as version from pg_namespace where nspname = 'ports'`,
    );
    if (rows[0]?.['version'] !== PORTS_SCHEMA_VERSION) {
      await ownerClient.query('drop schema if exists ports cascade');
      await ownerClient.query('create schema ports');
      await ownerClient.query(TABLES);
      await ownerClient.query(`comment on schema ports is '${PORTS_SCHEMA_VERSION}'`);
    }
    await ownerClient.query(RIGHTS);
    await ownerClient.query(DATABASE_RIGHTS);
    await ownerClient.query('commit');
  } catch (error) {
    await ownerClient.query('rollback');
    throw error;
  }
}
