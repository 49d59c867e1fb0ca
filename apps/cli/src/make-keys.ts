import { join } from 'node:path';
import { KEY_FILES } from '@patchbay/contracts/environment';
import { ensureDatabase, ensureRoles } from '@patchbay/ports';
import pg from 'pg';
import { DATABASE, ensureDatabaseUrls } from './database-urls.ts';
import { ensureKeys } from './keys.ts';
import { makePrivateFolder } from './private-file.ts';

export type MakeKeysOptions = {
  readonly folder: string;
  /** Of somebody who may make roles and databases; null: keys alone are made. */
  readonly adminUrl: string | null;
};

/**
 * Makes what a deployment of several machines mounts: every key that is missing (0600) and, given an admin's URL, the roles, the database
 * and the files with their URLs. Run again it changes no key and no password. Resolves with the paths of the URLs it wrote.
 */
export async function makeKeys({ folder, adminUrl }: MakeKeysOptions): Promise<string[]> {
  makePrivateFolder(folder);
  ensureKeys({ folder, masterKeyFile: null, hasData: false, isEmbedded: false });
  if (adminUrl === null) return [];
  const { host, search } = new URL(adminUrl);
  const secrets = ensureDatabaseUrls(folder, { authority: host, database: DATABASE, search });
  const client = new pg.Client({ connectionString: adminUrl, application_name: 'patchbay keys' });
  await client.connect();
  try {
    await ensureRoles(client, { ownerPassword: secrets.owner, appPassword: secrets.app, portsPassword: secrets.ports });
    await ensureDatabase(client, DATABASE);
  } finally {
    await client.end();
  }
  return [KEY_FILES.ownerDatabaseUrl, KEY_FILES.databaseUrl, KEY_FILES.portsDatabaseUrl].map((name) => join(folder, name));
}
