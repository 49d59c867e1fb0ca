import type { OrganisationId } from '@patchbay/contracts';
import type { Appended, SharedStore } from '../shared-store.ts';
import type { RedisConnection } from './connection.ts';
import { sharedKey } from './keys.ts';
import { script } from './script.ts';

/** KEYS: the fact. ARGV: what is expected, its replacement, the life of that in milliseconds. Answers what stands. */
const COMPARE_AND_SET = script(`
local stored = redis.call('GET', KEYS[1])
if stored ~= ARGV[1] then return stored end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]`);

/** KEYS: the text. ARGV: what is added, how many characters it may have then. Sealed texts are ASCII: a character is a byte. */
const APPEND = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 'absent' end
if redis.call('STRLEN', KEYS[1]) + #ARGV[1] > tonumber(ARGV[2]) then return 'full' end
redis.call('APPEND', KEYS[1], ARGV[1])
return 'appended'`);

/** KEYS: the text. */
const TAKE = script(`
local stored = redis.call('GET', KEYS[1])
if stored and stored ~= '' then redis.call('SET', KEYS[1], '', 'KEEPTTL') end
return stored`);

/** Strings with an expiry by Redis' clock, which all pods share. */
export class RedisSharedStore implements SharedStore {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async get(organisationId: OrganisationId, key: string): Promise<string | null> {
    return this.#connection.run((client) => client.get(sharedKey(organisationId, key)));
  }

  async setIfAbsent(organisationId: OrganisationId, key: string, value: string, ttlMs: number): Promise<string> {
    const stood = await this.#connection.run((client) =>
      client.set(sharedKey(organisationId, key), value, 'PX', wholeMs(ttlMs), 'NX', 'GET'),
    );
    return stood ?? value;
  }

  // oxlint-disable-next-line max-params -- the port's signature: two names of the fact, two values, its life
  async compareAndSet(organisationId: OrganisationId, key: string, expected: string, value: string, ttlMs: number): Promise<string | null> {
    const answer = await this.#connection.script(COMPARE_AND_SET, [sharedKey(organisationId, key)], [expected, value, wholeMs(ttlMs)]);
    return answer as string | null;
  }

  async set(organisationId: OrganisationId, key: string, value: string, ttlMs: number): Promise<void> {
    await this.#connection.run((client) => client.set(sharedKey(organisationId, key), value, 'PX', wholeMs(ttlMs)));
  }

  async delete(organisationId: OrganisationId, key: string): Promise<void> {
    await this.#connection.run((client) => client.unlink(sharedKey(organisationId, key)));
  }

  async append(organisationId: OrganisationId, key: string, addition: string, charactersMax: number): Promise<Appended> {
    const answer = await this.#connection.script(APPEND, [sharedKey(organisationId, key)], [addition, charactersMax]);
    return answer as Appended;
  }

  async take(organisationId: OrganisationId, key: string): Promise<string | null> {
    const answer = await this.#connection.script(TAKE, [sharedKey(organisationId, key)], []);
    return answer as string | null;
  }
}

/** Redis takes no fractions and no zero. */
function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.round(ttlMs));
}
