import { createPublicKey, type KeyObject } from 'node:crypto';
import { SIGNED_TYPES } from '@patchbay/contracts';
import { signingKeyId } from '@patchbay/vault';
import { CompactSign, compactVerify } from 'jose';

/** Signs what leaves the control plane for pods, and knows it again: compact JWS, EdDSA, one `typ` a kind of document. */
export class Signer {
  /** Which key signs; says nothing about it. */
  readonly kid: string;
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
    this.#publicKey = createPublicKey(key);
    this.kid = signingKeyId(key);
  }

  sign(kind: keyof typeof SIGNED_TYPES, document: object): Promise<string> {
    return new CompactSign(Buffer.from(JSON.stringify(document), 'utf8'))
      .setProtectedHeader({ alg: 'EdDSA', typ: SIGNED_TYPES[kind], kid: this.kid })
      .sign(this.#key);
  }

  /** What a document of this kind says; null when it is not one that we signed. */
  async open(kind: keyof typeof SIGNED_TYPES, jws: string): Promise<unknown> {
    try {
      const { payload, protectedHeader } = await compactVerify(jws, this.#publicKey, { algorithms: ['EdDSA'] });
      return protectedHeader.typ === SIGNED_TYPES[kind] ? JSON.parse(Buffer.from(payload).toString('utf8')) : null;
    } catch {
      return null;
    }
  }
}
