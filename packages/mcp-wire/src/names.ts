import { createHash } from 'node:crypto';

/** The strictest length among the clients and model APIs that read the names (protocol.md trap 3). */
const NAME_MAX = 64;
const HASH_CHARACTERS = 8;
const FOREIGN = /[^A-Za-z0-9_-]/g;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Something offered under a server: a tool or a prompt by its own name. */
export type NamedEntry = { readonly serverSlug: string; readonly name: string };

/**
 * The name an entry has on the aggregated endpoint: `server_tool`, in [A-Za-z0-9_-], at most 64 characters. Depends on nothing but
 * its arguments. With a hash of both at its end where it had to be cut or characters replaced. Never parse it: look it up.
 */
export function exposedName(serverSlug: string, originalName: string): string {
  const whole = `${serverSlug}_${originalName}`;
  const clean = whole.replace(FOREIGN, '_');
  return clean === whole && clean.length <= NAME_MAX ? whole : hashedName(serverSlug, originalName);
}

/**
 * The exact table from exposed name to entry, in the order given. Entries whose names collide all get the hash, so that none
 * depends on the order or on which came first. The same entry given twice is one.
 */
export function buildNameTable<T extends NamedEntry>(entries: Iterable<T>): Map<string, T> {
  const named = new Map<string, { entry: T; exposed: string; isHashed: boolean }>();
  for (const entry of entries) {
    const { serverSlug, name } = entry;
    named.set(JSON.stringify([serverSlug, name]), { entry, exposed: exposedName(serverSlug, name), isHashed: false });
  }
  // A hashed name may meet a plain one that was spelled like it: then that one is hashed too, until all stand apart.
  for (;;) {
    const holders = new Map<string, number>();
    for (const { exposed } of named.values()) holders.set(exposed, (holders.get(exposed) ?? 0) + 1);
    const colliding = [...named.values()].filter(({ exposed, isHashed }) => !isHashed && holders.get(exposed) !== 1);
    if (colliding.length === 0) break;
    for (const row of colliding) {
      row.exposed = hashedName(row.entry.serverSlug, row.entry.name);
      row.isHashed = true;
    }
  }
  return new Map([...named.values()].map(({ entry, exposed }) => [exposed, entry]));
}

function hashedName(serverSlug: string, originalName: string): string {
  const clean = `${serverSlug}_${originalName}`.replace(FOREIGN, '_');
  const digest = createHash('sha256')
    .update(JSON.stringify([serverSlug, originalName]))
    .digest();
  let hash = '';
  for (let k = 0; k < HASH_CHARACTERS; k += 1) hash += BASE32.charAt((digest[k] ?? 0) & 31);
  return `${clean.slice(0, NAME_MAX - 1 - HASH_CHARACTERS)}_${hash}`;
}
