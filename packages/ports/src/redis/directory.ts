import type { DirectoryAnswer, OrganisationId, Revision, TokenHash } from '@patchbay/contracts';
import type { Directory, NewTokenEntry } from '../directory.ts';
import type { RedisConnection } from './connection.ts';
import { directoryKey, slugKey, tokenKey } from './keys.ts';
import { noneOfThatKind, script, WHATEVER_STANDS } from './script.ts';

/** KEYS: the directory's revision, then tokens. ARGV: the revision, then for each token its entry and when it expires ('' for never). */
const PUT = script(`${WHATEVER_STANDS}
local revision = tonumber(ARGV[1])
only('string', KEYS[1])
if revision > number(redis.call('GET', KEYS[1])) then redis.call('SET', KEYS[1], ARGV[1]) end
for i = 2, #KEYS do
  only('hash', KEYS[i])
  if revision >= number(redis.call('HGET', KEYS[i], 'revision')) then
    redis.call('HSET', KEYS[i], 'revision', ARGV[1], 'jws', ARGV[2 * i - 2])
    if ARGV[2 * i - 1] == '' then redis.call('PERSIST', KEYS[i]) else redis.call('PEXPIREAT', KEYS[i], ARGV[2 * i - 1]) end
  end
end`);

/** KEYS: the directory's revision, a token. Both at one moment. */
const GET = script(`return { redis.call('HGET', KEYS[2], 'jws'), redis.call('GET', KEYS[1]) }`, { isReading: true });

/** A hash for each token, which expires with it, and one number an organisation: the revision up to which they are true. */
export class RedisDirectory implements Directory {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async putTokens(organisationId: OrganisationId, revision: Revision, entries: readonly NewTokenEntry[]): Promise<void> {
    const keys = [directoryKey(organisationId), ...entries.map(({ tokenHash }) => tokenKey(organisationId, tokenHash))];
    const values = entries.flatMap(({ jws, expiresAtMs }) => [jws, expiresAtMs === undefined ? '' : Math.ceil(expiresAtMs)]);
    await this.#connection.script(PUT, keys, [revision, ...values]);
  }

  /** Redis does so by itself. */
  async removeExpiredTokens(): Promise<number> {
    return 0;
  }

  async getToken(organisationId: OrganisationId, tokenHash: TokenHash): Promise<DirectoryAnswer> {
    const keys = [directoryKey(organisationId), tokenKey(organisationId, tokenHash)];
    const [entry, revision] = (await this.#connection.script(GET, keys, [])) as [string | null, string | null];
    return { entry, revision: Number(revision ?? 0) as Revision };
  }

  async putOrganisation(slug: string, jws: string): Promise<void> {
    await this.#connection.run((client) => client.set(slugKey(slug), jws));
  }

  async getOrganisation(slug: string): Promise<string | null> {
    const [jws] = await this.#connection.run((client) => client.get(slugKey(slug)).then((found) => [found], noneOfThatKind));
    return jws ?? null;
  }
}
