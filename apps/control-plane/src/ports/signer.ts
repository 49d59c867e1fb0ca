import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { SIGNED_TYPES } from '@patchbay/contracts';
import { CompactSign } from 'jose';

/** Signs what leaves the control plane for pods: compact JWS, EdDSA, one `typ` a kind of document. */
export class Signer {
  readonly #key: KeyObject;
  readonly #kid: string;

  constructor(key: KeyObject) {
    this.#key = key;
    this.#kid = createHash('sha256')
      .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
      .digest('base64url')
      .slice(0, 16);
  }

  sign(kind: keyof typeof SIGNED_TYPES, document: object): Promise<string> {
    return new CompactSign(Buffer.from(JSON.stringify(document), 'utf8'))
      .setProtectedHeader({ alg: 'EdDSA', typ: SIGNED_TYPES[kind], kid: this.#kid })
      .sign(this.#key);
  }
}
