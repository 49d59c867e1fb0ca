import { createHash } from 'node:crypto';
import type { CatalogueEntryKind } from '@patchbay/contracts';
import { foldKey, sliceMembers, type Era, isObject } from '@patchbay/mcp-wire';
import { quoted } from './failed.ts';
import { LIMITS } from './limits.ts';
import { problemOf } from './problem-of.ts';

/** One definition, as its server wrote it. */
export type FoundEntry = {
  readonly kind: CatalogueEntryKind;
  readonly name: string;
  readonly bytes: Buffer;
  readonly contractHash: string;
  /** Sets of client capabilities, each of which suffices to be offered it; empty: everybody is. */
  readonly needs: readonly (readonly string[])[];
};

/** What a caller relies on in each kind of entry; the rest may change without breaking anyone. */
const CONTRACT: Readonly<Record<CatalogueEntryKind, { readonly name: string; readonly members: readonly string[] }>> = {
  tool: { name: 'name', members: ['name', 'description', 'inputSchema', 'outputSchema', 'annotations'] },
  prompt: { name: 'name', members: ['name', 'description', 'arguments'] },
  resource: { name: 'uri', members: ['uri', 'name', 'description', 'mimeType', 'annotations'] },
  template: { name: 'uriTemplate', members: ['uriTemplate', 'name', 'description', 'mimeType', 'annotations'] },
};

/** Collects definitions within the limits and remembers, in words, what it left out. */
export class EntryCollector {
  readonly entries: FoundEntry[] = [];
  readonly ttlMs: Partial<Record<CatalogueEntryKind, number>> = {};
  /** A list went on behind what was taken of it. */
  isCut = false;
  readonly #era: Era;
  readonly #names = new Map<CatalogueEntryKind, Set<string>>();
  readonly #leftOut = new Map<string, string[]>();
  #bytes = 0;

  constructor(era: Era) {
    this.#era = era;
  }

  /** Takes or leaves one definition. False when no further one of this kind can be taken. */
  add(kind: CatalogueEntryKind, bytes: Buffer): boolean {
    const names = this.#names.get(kind) ?? new Set<string>();
    this.#names.set(kind, names);
    if (names.size >= LIMITS.entries) return this.#leave(`${kind}s beyond the first ${LIMITS.entries}`, false);
    if (bytes.length > LIMITS.entryBytes) return this.#leave(`${kind}s larger than ${LIMITS.entryBytes / 1024} KB`, true);
    if (this.#bytes + bytes.length > LIMITS.catalogueBytes)
      return this.#leave(`${kind}s beyond ${LIMITS.catalogueBytes / 1024 / 1024} MB in all`, false);
    const definition: unknown = JSON.parse(bytes.toString('utf8'));
    const name = isObject(definition) ? definition[CONTRACT[kind].name] : null;
    if (!isObject(definition) || typeof name !== 'string' || name === '' || name.length > LIMITS.nameLength)
      return this.#leave(`${kind}s without a proper name`, true);
    const problem = problemOf(kind, definition, this.#era) ?? (hasDoubledKeys(bytes) ? 'with a key that stands twice' : null);
    if (problem !== null) return this.#leave(`${kind}s ${problem}`, true, name);
    if (names.has(name)) return this.#leave(`${kind}s whose name appeared before`, true, name);
    names.add(name);
    this.#bytes += bytes.length;
    this.entries.push({ kind, name, bytes, contractHash: contractHash(kind, definition), needs: [] });
    return true;
  }

  /** Says that a list went on after its last allowed page. */
  cut(kind: CatalogueEntryKind): void {
    this.#leave(`${kind}s beyond page ${LIMITS.pages}`, false);
  }

  /** The server's word on one page of a list; the shortest of them holds. */
  keptFor(kind: CatalogueEntryKind, ttlMs: unknown): void {
    if (typeof ttlMs !== 'number' || !Number.isSafeInteger(ttlMs) || ttlMs < 0) return;
    this.ttlMs[kind] = Math.min(ttlMs, this.ttlMs[kind] ?? ttlMs);
  }

  /** What was left out, in words; null when nothing was. */
  notice(): string | null {
    if (this.#leftOut.size === 0) return null;
    return `Left out: ${[...this.#leftOut].map(([what, names]) => `${names.length} ${what}${namedAs(names)}`).join('; ')}.`;
  }

  /** `name`: what its admin looks for; empty where there is none to speak of. */
  #leave(what: string, goOn: boolean, name = ''): boolean {
    this.isCut ||= !goOn;
    const names = this.#leftOut.get(what) ?? [];
    this.#leftOut.set(what, names);
    names.push(name);
    return goOn;
  }
}

const NAMED_MAX = 5;

function namedAs(names: readonly string[]): string {
  const named = names.filter((name) => name !== '');
  if (named.length === 0) return '';
  return ` (${named.slice(0, NAMED_MAX).map(quoted).join(', ')}${named.length > NAMED_MAX ? ', …' : ''})`;
}

/** Two readers may take different values for such a key. */
function hasDoubledKeys(bytes: Buffer): boolean {
  const members = sliceMembers(bytes, []) ?? [];
  return new Set(members.map(({ name }) => foldKey(name))).size !== members.length;
}

/** A fingerprint of what callers rely on: the same for any order of members. */
export function contractHash(kind: CatalogueEntryKind, definition: Record<string, unknown>): string {
  const contract = CONTRACT[kind].members.map((member) => [member, canonical(definition[member])]);
  return createHash('sha256').update(JSON.stringify(contract)).digest('hex');
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isObject(value)) return value ?? null;
  return Object.keys(value)
    .sort()
    .map((key) => [key, canonical(value[key])]);
}
