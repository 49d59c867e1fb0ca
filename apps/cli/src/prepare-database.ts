import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDatabase, ensureRoles, PORTS_SCHEMA_VERSION } from '@patchbay/ports';
import pg from 'pg';
import { DATABASE, type RoleSecrets } from './database-urls.ts';
import { readIfThere } from './private-file.ts';

export type DatabaseOptions = {
  readonly superuserUrl: (database: string) => string;
  readonly secrets: RoleSecrets;
  /** The cluster's folder: what is remembered there is gone with it. */
  readonly dataDir: string;
  /** Files and folders whose content decides whether there is something to migrate. */
  readonly sources: readonly string[];
  readonly migrate: () => Promise<void>;
};

const STAMP = 'patchbay-migrated';

/** Roles, database and schema as this version needs them. Does nothing when this cluster was left so by these very sources. */
export async function prepareDatabase({ superuserUrl, secrets, dataDir, sources, migrate }: DatabaseOptions): Promise<void> {
  const wanted = fingerprint(sources, secrets);
  const stamp = join(dataDir, STAMP);
  if (readIfThere(stamp) === wanted) return;
  const client = new pg.Client({ connectionString: superuserUrl('postgres') });
  await client.connect();
  try {
    await ensureRoles(client, { ownerPassword: secrets.owner, appPassword: secrets.app, portsPassword: secrets.ports });
    await ensureDatabase(client, DATABASE);
  } finally {
    await client.end();
  }
  await migrate();
  writeFileSync(stamp, wanted, { mode: 0o600 });
}

function fingerprint(sources: readonly string[], secrets: RoleSecrets): string {
  const hash = createHash('sha256').update(`${PORTS_SCHEMA_VERSION}\0${Object.values(secrets).join('\0')}`);
  for (const path of sources.flatMap(filesBelow)) hash.update(`\0${path}\0`).update(readFileSync(path));
  return hash.digest('hex');
}

function filesBelow(path: string): string[] {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return [];
  if (facts.isFile()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
