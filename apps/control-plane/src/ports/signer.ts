import type { KeyObject } from 'node:crypto';
import { SIGNED_TYPES } from '@patchbay/contracts';
import { signingKeyId } from '@patchbay/vault';
import { CompactSign } from 'jose';

/** Signs what leaves the control plane for pods: compact JWS, EdDSA, one `typ` a kind of document. */
export class Signer {
  /** Which key signs; says nothing about it. */
  readonly kid: string;
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
    this.kid = signingKeyId(key);
  }

  sign(kind: keyof typeof SIGNED_TYPES, document: object): Promise<string> {
    return new CompactSign(Buffer.from(JSON.stringify(document), 'utf8'))
      .setProtectedHeader({ alg: 'EdDSA', typ: SIGNED_TYPES[kind], kid: this.kid })
      .sign(this.#key);
  }
}
