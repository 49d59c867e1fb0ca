import { generateKeyPairSync } from 'node:crypto';
import { SIGNED_TYPES } from '@patchbay/contracts';
import { CompactSign } from 'jose';

/** Signs what a control plane signs, under a key pair of this run. */
export type Signer = {
  /** What a gateway is given. */
  readonly publicPem: string;
  sign(kind: keyof typeof SIGNED_TYPES, document: unknown): Promise<string>;
};

export function makeSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString().trim(),
    sign(kind, document) {
      const header = { alg: 'EdDSA', typ: SIGNED_TYPES[kind], kid: 'bench' };
      return new CompactSign(Buffer.from(JSON.stringify(document))).setProtectedHeader(header).sign(privateKey);
    },
  };
}
