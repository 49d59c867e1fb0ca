export type Overlaying<V> = {
  /** What stands under a name, of what both maps have there; undefined: nothing. */
  readonly merged: (ofAll: V | undefined, ofOwn: V | undefined, name: string) => V | undefined;
  /** Where names are read in order; without it those of `own` come last. */
  readonly before?: (one: V, other: V) => boolean;
};

/** Two maps read as one. A look-up costs one in each; nothing of either is copied. */
export class OverlaidMap<V> implements ReadonlyMap<string, V> {
  readonly #all: ReadonlyMap<string, V>;
  readonly #own: ReadonlyMap<string, V>;
  readonly #overlaying: Overlaying<V>;

  constructor(all: ReadonlyMap<string, V>, own: ReadonlyMap<string, V>, overlaying: Overlaying<V>) {
    [this.#all, this.#own, this.#overlaying] = [all, own, overlaying];
  }

  get(name: string): V | undefined {
    return this.#overlaying.merged(this.#all.get(name), this.#own.get(name), name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  get size(): number {
    return [...this.keys()].length;
  }

  /** Stably: what has not changed stays where it was. */
  *entries(): MapIterator<[string, V]> {
    const { before } = this.#overlaying;
    const merged: [string, V][] = [];
    const others = [...this.#all.keys()].filter((name) => !this.#own.has(name));
    for (const name of [...others, ...this.#own.keys()]) {
      const value = this.get(name);
      if (value !== undefined) merged.push([name, value]);
    }
    if (before !== undefined) merged.sort(([, a], [, b]) => (before(a, b) ? -1 : before(b, a) ? 1 : 0));
    yield* merged;
  }

  *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(each: (value: V, name: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [name, value] of this.entries()) each(value, name, this);
  }
}
