import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_FILES } from '@patchbay/contracts/environment';
import { mintSecret } from '@patchbay/tokens';
import { readIfThere, writePrivately } from './private-file.ts';
import { StartFailure } from './start-failure.ts';

const PLAIN = [
  KEY_FILES.tokenTag,
  KEY_FILES.sessionSealing,
  KEY_FILES.gatewaySecret,
  KEY_FILES.stdioHostSecret,
  KEY_FILES.toStdioHostSecret,
] as const;

export type KeyPlace = {
  readonly folder: string;
  /** Elsewhere than in the folder, where the operator wants it so. */
  readonly masterKeyFile: string | null;
  /** There is data already: then some keys can only be the ones it was made with. */
  readonly hasData: boolean;
  /** Whether the cluster is our own, whose superuser is one of ours too. */
  readonly isEmbedded?: boolean;
};

/** Makes the keys that are missing. Throws a StartFailure rather than make anew one that existing data needs. */
export function ensureKeys({ folder, masterKeyFile, hasData, isEmbedded = true }: KeyPlace): void {
  const master = masterKeyFile ?? join(folder, KEY_FILES.master);
  const superuser = isEmbedded ? [join(folder, KEY_FILES.superuserPassword)] : [];
  const needed = [master, join(folder, KEY_FILES.tokenTag), ...superuser];
  const lost = hasData ? needed.filter((path) => !existsSync(path)) : [];
  if (lost.length > 0) {
    throw new StartFailure(
      `${lost.join(' and ')}: missing, but the data here was made with it. Put it back, or remove this PATCHBAY_HOME to start over.`,
    );
  }
  for (const path of [...needed, ...PLAIN.map((name) => join(folder, name))])
    if (!existsSync(path)) writePrivately(path, `${mintSecret()}\n`);
  ensureSigningPair(join(folder, KEY_FILES.snapshotSigning), join(folder, KEY_FILES.snapshotPublic));
}

function ensureSigningPair(privatePath: string, publicPath: string): void {
  if (existsSync(privatePath) && existsSync(publicPath)) return;
  const pair = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  writePrivately(publicPath, pair.publicKey);
  writePrivately(privatePath, pair.privateKey);
}

/** The text of one of our key files. Throws a StartFailure when it is missing. */
export function readKey(folder: string, name: string): string {
  const text = readIfThere(join(folder, name));
  if (text === null) throw new StartFailure(`${join(folder, name)} is missing.`);
  return text.trim();
}
