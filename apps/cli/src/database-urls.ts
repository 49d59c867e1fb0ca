import { join } from 'node:path';
import { KEY_FILES } from '@patchbay/contracts/environment';
import { ROLES } from '@patchbay/ports';
import { mintSecret } from '@patchbay/tokens';
import { readIfThere, writePrivately } from './private-file.ts';

export const DATABASE = 'patchbay';

/** Who connects with which file. */
const FILES = { owner: KEY_FILES.ownerDatabaseUrl, app: KEY_FILES.databaseUrl, ports: KEY_FILES.portsDatabaseUrl } as const;

export type RoleSecrets = { readonly [K in keyof typeof FILES]: string };

/** Where the roles connect: `host:port`, the database, and what follows in a URL (`?sslmode=verify-full`). */
export type DatabasePlace = { readonly authority: string; readonly database: string; readonly search: string };

export const loopback = (port: number): DatabasePlace => ({ authority: `127.0.0.1:${port}`, database: DATABASE, search: '' });

/** Writes each role's URL with today's place, keeping the password it has. Returns the passwords. */
export function ensureDatabaseUrls(keysFolder: string, { authority, database, search }: DatabasePlace): RoleSecrets {
  const ensure = (role: keyof typeof FILES): string => {
    const path = join(keysFolder, FILES[role]);
    const before = readIfThere(path)?.trim() ?? '';
    const password = (URL.canParse(before) ? new URL(before).password : '') || mintSecret();
    const url = `postgres://${ROLES[role]}:${password}@${authority}/${database}${search}`;
    if (url !== before) writePrivately(path, `${url}\n`);
    return password;
  };
  return { owner: ensure('owner'), app: ensure('app'), ports: ensure('ports') };
}
