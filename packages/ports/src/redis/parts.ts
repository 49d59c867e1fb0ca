import type { OrganisationId, PartHash, Revision } from '@patchbay/contracts';
import type { Redis } from 'ioredis';
import type { ManifestPosition, Parts, StoredPart } from '../parts.ts';
import type { RedisConnection } from './connection.ts';
import { manifestKey, partKey, partsKey } from './keys.ts';
import { noneOfThatKind, script, WHATEVER_STANDS } from './script.ts';

export type RedisPartsOptions = {
  readonly connection: RedisConnection;
  /** For bytes by the megabyte: slow calls here hold up none on the other. */
  readonly bulk: RedisConnection;
};

const AT_ONCE = 16;
const POSITIONS_AT_ONCE = 500;
const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/** KEYS: the index, then the parts. ARGV: their hashes. Those that are there count as stored just now; answers the places of the others. */
const TOUCH = script(`${WHATEVER_STANDS}
${NOW}
only('zset', KEYS[1])
local missing = {}
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('ZADD', KEYS[1], now, ARGV[i - 1]) else missing[#missing + 1] = i - 2 end
end
return missing`);

/** KEYS: the index. ARGV: hashes that are about to be stored. */
const ANNOUNCE = script(`${WHATEVER_STANDS}
${NOW}
only('zset', KEYS[1])
for i = 1, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end`);

/** KEYS: the index. ARGV: an age in milliseconds. Hashes that are older. */
const OLDER = script(`${NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now - ARGV[1]))`);

/** KEYS: the index, then parts. ARGV: an age, then their hashes. Removes those that are still older; how many. */
const REMOVE = script(`${NOW}
local removed = 0
for i = 2, #KEYS do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if at and tonumber(at) < now - ARGV[1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
    removed = removed + redis.call('UNLINK', KEYS[i])
  end
end
return removed`);

/** KEYS: the manifest, the index, then parts. ARGV: epoch, revision, the manifest, then each part's hash and bytes. Whether it was stored. */
const PUT_MANIFEST = script(`${WHATEVER_STANDS}
${NOW}
only('hash', KEYS[1])
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
local epoch, revision = number(stored[1]), number(stored[2])
if epoch > tonumber(ARGV[1]) or (epoch == tonumber(ARGV[1]) and revision > tonumber(ARGV[2])) then return 0 end
if #KEYS > 2 then only('zset', KEYS[2]) end
for i = 3, #KEYS do
  redis.call('ZADD', KEYS[2], now, ARGV[2 * i - 2])
  redis.call('SET', KEYS[i], ARGV[2 * i - 1])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], 'jws', ARGV[3])
return 1`);

/** A hash for each manifest, a string for each part, and an index of an organisation's parts by age. */
export class RedisParts implements Parts {
  readonly #connection: RedisConnection;
  readonly #bulk: RedisConnection;

  constructor({ connection, bulk }: RedisPartsOptions) {
    this.#connection = connection;
    this.#bulk = bulk;
  }

  async putParts(organisationId: OrganisationId, parts: readonly StoredPart[]): Promise<void> {
    if (parts.length === 0) return;
    // Into the index first: a part outside it would never be removed. Nobody takes the index's word for a part that is not there.
    await this.#connection.script(
      ANNOUNCE,
      [partsKey(organisationId)],
      parts.map(({ hash }) => hash),
    );
    // One at a time: a catalogue can be tens of megabytes.
    for (const { hash, bytes } of parts) await this.#bulk.run((client) => client.set(partKey(organisationId, hash), bytes));
  }

  /** What is there counts as stored just now, so that no garbage collection takes it before the manifest names it. */
  async missing(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<PartHash[]> {
    if (hashes.length === 0) return [];
    const keys = [partsKey(organisationId), ...hashes.map((hash) => partKey(organisationId, hash))];
    const places = (await this.#connection.script(TOUCH, keys, hashes)) as number[];
    return places.flatMap((place) => hashes[place] ?? []);
  }

  async getParts(organisationId: OrganisationId, hashes: readonly PartHash[]): Promise<Map<PartHash, Buffer>> {
    const found = new Map<PartHash, Buffer>();
    for (let from = 0; from < hashes.length; from += AT_ONCE) {
      const batch = hashes.slice(from, from + AT_ONCE);
      const parts = await this.#bulk.run((client) => Promise.all(batch.map((hash) => partBytes(client, partKey(organisationId, hash)))));
      for (const [k, bytes] of parts.entries()) {
        const hash = batch[k];
        if (bytes !== null && hash !== undefined) found.set(hash, bytes);
      }
    }
    return found;
  }

  async putManifest(
    organisationId: OrganisationId,
    at: ManifestPosition,
    jws: string,
    parts: readonly StoredPart[] = [],
  ): Promise<boolean> {
    const keys = [manifestKey(organisationId), partsKey(organisationId), ...parts.map(({ hash }) => partKey(organisationId, hash))];
    const stored = parts.flatMap(({ hash, bytes }) => [hash, bytes]);
    return (await this.#connection.script(PUT_MANIFEST, keys, [at.epoch, at.revision, jws, ...stored])) === 1;
  }

  async removeManifest(organisationId: OrganisationId): Promise<void> {
    await this.#connection.run((client) => client.unlink(manifestKey(organisationId)));
  }

  async getManifest(organisationId: OrganisationId): Promise<string | null> {
    const [jws] = await this.#connection.run((client) => client.hmget(manifestKey(organisationId), 'jws').catch(noneOfThatKind));
    return jws ?? null;
  }

  async getPositions(organisationIds: readonly OrganisationId[]): Promise<Map<OrganisationId, ManifestPosition>> {
    const found = new Map<OrganisationId, ManifestPosition>();
    for (let from = 0; from < organisationIds.length; from += POSITIONS_AT_ONCE) {
      const batch = organisationIds.slice(from, from + POSITIONS_AT_ONCE);
      const fields = await this.#connection.run((client) =>
        Promise.all(batch.map((id) => client.hmget(manifestKey(id), 'epoch', 'revision').catch(noneOfThatKind))),
      );
      for (const [k, [epoch, revision]] of fields.entries()) {
        const id = batch[k];
        if (id !== undefined && isNumber(epoch) && isNumber(revision))
          found.set(id, { epoch: Number(epoch), revision: Number(revision) as Revision });
      }
    }
    return found;
  }

  async collectGarbage(organisationId: OrganisationId, keep: readonly PartHash[], olderThanMs: number): Promise<number> {
    const kept = new Set<string>(keep);
    const old = (await this.#connection.script(OLDER, [partsKey(organisationId)], [olderThanMs])) as PartHash[];
    const garbage = old.filter((hash) => !kept.has(hash));
    if (garbage.length === 0) return 0;
    const keys = [partsKey(organisationId), ...garbage.map((hash) => partKey(organisationId, hash))];
    return (await this.#connection.script(REMOVE, keys, [olderThanMs, ...garbage])) as number;
  }
}

function isNumber(text: string | null | undefined): text is string {
  return text !== null && text !== undefined && /^\d+$/.test(text);
}

/** What is of another kind is no part, and keeps no other from being read. */
async function partBytes(client: Redis, key: string): Promise<Buffer | null> {
  try {
    return await client.getBuffer(key);
  } catch (error) {
    noneOfThatKind(error);
    return null;
  }
}
