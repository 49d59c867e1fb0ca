import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENV, KEY_BYTES, KEY_FILES, PROGRAM_KEYS } from '@patchbay/contracts';
import type { Signer } from '../organisation/signer.ts';

/** The files of a gateway's keys and secrets, by the variables that name them, and the key that marks tokens. */
export type Keys = { readonly env: Readonly<Record<string, string>>; readonly tagKey: Buffer };

/** Writes them as they would be mounted. */
export function makeKeys(folder: string, { publicPem }: Signer): Keys {
  const home = join(folder, 'keys');
  mkdirSync(home, { mode: 0o700 });
  const tagKey = randomBytes(KEY_BYTES);
  const texts = new Map<string, string>([
    [KEY_FILES.tokenTag, tagKey.toString('base64url')],
    [KEY_FILES.snapshotPublic, publicPem],
  ]);
  const env: Record<string, string> = {};
  for (const [variable, name] of Object.entries(PROGRAM_KEYS.gateway)) {
    const file = join(home, name);
    writeFileSync(file, `${texts.get(name) ?? randomBytes(KEY_BYTES).toString('base64url')}\n`, { mode: 0o600 });
    env[variable] = file;
  }
  return { env: { ...env, [ENV.exitWithParent]: '1' }, tagKey };
}
