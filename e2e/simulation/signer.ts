import type { Shape, SignedKind, Verified, Verifier } from '../../apps/gateway/dist/snapshot/verify.js';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

type Signed = { readonly kind: SignedKind; readonly payload: unknown };

/**
 * Signatures without the arithmetic: a text verifies when `sign` has made it, as the same kind of document, and no other text does. Whoever
 * holds an old one can show it again; nobody else can make one.
 */
export class Signatures {
  readonly #signed = new Map<string, Signed>();
  readonly #random: Random;
  readonly #scheduler: Scheduler;

  constructor(random: Random, scheduler: Scheduler) {
    this.#random = random;
    this.#scheduler = scheduler;
  }

  sign(kind: SignedKind, payload: unknown): string {
    const text = `${kind}.${this.#signed.size}`;
    this.#signed.set(text, { kind, payload });
    return text;
  }

  /** Every document of a kind that was ever signed: what an attacker may have recorded. */
  recorded(kind: SignedKind): { readonly text: string; readonly payload: unknown }[] {
    return [...this.#signed].filter(([, signed]) => signed.kind === kind).map(([text, { payload }]) => ({ text, payload }));
  }

  /** What was signed as this kind of document; null for a text that was not. */
  payloadOf(kind: SignedKind, text: string): unknown {
    const signed = this.#signed.get(text);
    return signed?.kind === kind ? signed.payload : null;
  }

  /** Takes a moment, as the real one does on a thread of its own, so that answers overtake each other. */
  readonly verifier: Verifier = {
    open: async <T>(kind: SignedKind, shape: Shape<T>, text: string): Promise<Verified<T>> => {
      if (this.#random.chance(0.3)) await this.#scheduler.sleep(this.#random.between(0, 3));
      const signed = this.#signed.get(text);
      if (signed?.kind !== kind) return { ok: false, why: 'signature' };
      const parsed = shape.safeParse(signed.payload);
      return parsed.success ? { ok: true, value: parsed.data } : { ok: false, why: 'shape' };
    },
  };
}
