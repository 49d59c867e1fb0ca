import type { KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import { SIGNED_TYPES } from '@patchbay/contracts';

export type SignedKind = keyof typeof SIGNED_TYPES;

/** A zod schema, seen only as far as it is needed here. */
export type Shape<T> = { safeParse(value: unknown): { success: true; data: T } | { success: false } };

/** `signature`: not signed by us as this kind of document. `shape`: signed, but not a document we can read. */
export type Verified<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: 'signature' | 'shape' };

/** Opens what the control plane signed. Never throws on what it is given. */
export type Verifier = { open<T>(kind: SignedKind, shape: Shape<T>, jws: string): Promise<Verified<T>> };

const BAD_SIGNATURE = { ok: false, why: 'signature' } as const;
const BAD_SHAPE = { ok: false, why: 'shape' } as const;

/** Under any of these Ed25519 public keys: two are valid while one is being replaced. */
export function makeVerifier(keys: readonly KeyObject[]): Verifier {
  async function payloadOf(kind: SignedKind, jws: string): Promise<Uint8Array | null> {
    for (const key of keys) {
      try {
        const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ['EdDSA'] });
        return protectedHeader.typ === SIGNED_TYPES[kind] ? payload : null;
      } catch {
        // Not under this key; the other one may have signed it.
      }
    }
    return null;
  }

  return {
    async open(kind, shape, jws) {
      const payload = await payloadOf(kind, jws);
      if (payload === null) return BAD_SIGNATURE;
      try {
        const parsed = shape.safeParse(JSON.parse(Buffer.from(payload).toString('utf8')));
        return parsed.success ? { ok: true, value: parsed.data } : BAD_SHAPE;
      } catch {
        return BAD_SHAPE;
      }
    },
  };
}
