/** Calls on this pod that wait for their client's answer: nothing but their stream can tell the client that the pod stops. */
export class WaitingCalls {
  readonly #ends = new Set<() => void>();

  /** Returns how to take it out again. */
  add(end: () => void): () => void {
    this.#ends.add(end);
    return () => void this.#ends.delete(end);
  }

  /** This pod stops before they can be answered. */
  endAll(): void {
    for (const end of [...this.#ends]) end();
  }
}
