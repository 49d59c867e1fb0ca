import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Redis } from 'ioredis';

export type Attack = { readonly acts: Readonly<Record<string, number>> };

type Kept = { readonly key: string; readonly dump: Buffer };
type Heard = { readonly channel: string; readonly message: string };

const KEPT_MAX = 4_000;
const HEARD_MAX = 2_000;
const LOOK_EVERY_MS = 1_000;
const PAUSE_MS = 15;

/**
 * Somebody who may write to Redis, and has listened for a while: puts old values back, deletes, exchanges, damages and forges them,
 * repeats old messages in any order and makes up new ones, signed with a key of its own.
 */
export class Attacker {
  readonly #redis: Redis;
  readonly #listener: Redis;
  readonly #kept: Kept[] = [];
  readonly #heard: Heard[] = [];
  readonly #key = generateKeyPairSync('ed25519').privateKey;
  readonly #looking: NodeJS.Timeout;

  /** Listens from the beginning: what is old later was new once. */
  constructor(url: string) {
    this.#redis = new Redis(url);
    this.#listener = new Redis(url);
    for (const client of [this.#redis, this.#listener]) client.on('error', () => undefined);
    this.#listener.on('pmessage', (_pattern, channel: string, message: string) => keep(this.#heard, { channel, message }, HEARD_MAX));
    this.#listener.psubscribe('*').catch(() => undefined);
    this.#looking = setInterval(() => void this.#look().catch(() => undefined), LOOK_EVERY_MS);
  }

  /** Attacks for so long; how often it did what. */
  async run(durationMs: number): Promise<Attack> {
    const acts: Record<string, number> = {};
    const endsAtMs = Date.now() + durationMs;
    const all = Object.entries(this.#acts());
    while (Date.now() < endsAtMs) {
      const [name, act] = any(all)!;
      const done = await act().catch(() => false);
      if (done) acts[name] = (acts[name] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return { acts };
  }

  close(): void {
    clearInterval(this.#looking);
    this.#redis.disconnect();
    this.#listener.disconnect();
  }

  #acts(): Record<string, () => Promise<boolean>> {
    const redis = this.#redis;
    return {
      'put an old value back': async () => this.#replay(() => true),
      'put an old entry of a token back': async () => this.#replay((key) => key.includes(':token:')),
      'put an old manifest back': async () => this.#replay((key) => key.endsWith(':manifest')),
      'delete a key': async () => this.#onKey((key) => redis.unlink(key)),
      'give a key the value of another': async () => this.#exchange(),
      'damage a value': async () => this.#onKey((key) => this.#damage(key)),
      'make a key something else': async () => this.#onKey((key) => redis.multi().del(key).rpush(key, 'x').exec()),
      'forge a manifest': async () =>
        this.#onKey(
          (key) => redis.hset(key, { epoch: '9', revision: '999999999', jws: this.#forged('patchbay-manifest+jws') }),
          ':manifest',
        ),
      'forge an entry of a token': async () =>
        this.#onKey((key) => redis.hset(key, { revision: '999999999', jws: this.#forged('patchbay-token+jws') }), ':token:'),
      'repeat an old message': async () => this.#say((old) => old),
      'repeat a damaged message': async () => this.#say(damaged),
      'forge an announcement': async () => this.#say(() => this.#forged('patchbay-announcement+jws')),
      'say nonsense': async () => this.#say(() => randomBytes(200).toString('latin1')),
    };
  }

  async #look(): Promise<void> {
    const keys = (await this.#redis.keys('*')).sort(() => Math.random() - 0.5).slice(0, 60);
    for (const key of keys) {
      const dump = await this.#redis.dumpBuffer(key);
      if (dump !== null) keep(this.#kept, { key, dump }, KEPT_MAX);
    }
  }

  async #replay(wanted: (key: string) => boolean): Promise<boolean> {
    const old = any(this.#kept.filter(({ key }) => wanted(key)));
    if (old === undefined) return false;
    await this.#redis.restore(old.key, 0, old.dump, 'REPLACE');
    return true;
  }

  async #exchange(): Promise<boolean> {
    const [from, to] = [any(this.#kept), any(this.#kept)];
    if (from === undefined || to === undefined || from.key === to.key) return false;
    const sameKind = this.#kept.filter(({ key }) => kindOf(key) === kindOf(to.key));
    await this.#redis.restore(to.key, 0, any(sameKind)!.dump, 'REPLACE');
    return true;
  }

  async #damage(key: string): Promise<void> {
    const redis = this.#redis;
    const type = await redis.type(key);
    if (type === 'string') await redis.set(key, damaged((await redis.get(key)) ?? ''), 'KEEPTTL');
    else if (type === 'hash')
      for (const [field, value] of Object.entries(await redis.hgetall(key))) await redis.hset(key, field, damaged(value));
    else await redis.unlink(key);
  }

  async #onKey(act: (key: string) => Promise<unknown>, part = ''): Promise<boolean> {
    const key = any((await this.#redis.keys('*')).filter((each) => each.includes(part)));
    if (key === undefined) return false;
    await act(key);
    return true;
  }

  async #say(make: (old: string) => string): Promise<boolean> {
    const old = any(this.#heard);
    if (old === undefined) return false;
    await this.#redis.publish(old.channel, make(old.message));
    return true;
  }

  /** What a manifest or entry looks like, with a far newer revision, under a key that nobody trusts or under none. */
  #forged(type: string): string {
    const organisationId = /\{([0-9a-f-]{36})\}/.exec(any(this.#kept)?.key ?? '')?.[1] ?? '';
    const header = { alg: Math.random() < 0.3 ? 'none' : 'EdDSA', typ: type };
    const claims = { format: 1, organisationId, epoch: 9, revision: 999_999_999, revoked: false, invalidations: [], parts: [] };
    const body = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${body}.${header.alg === 'none' ? '' : sign(null, Buffer.from(body), this.#key).toString('base64url')}`;
  }
}

/** `patchbay:{organisation}:token:…` and the like of any organisation or hash. */
function kindOf(key: string): string {
  return key
    .replace(/\{[^}]*\}/, '')
    .split(':')
    .slice(0, 3)
    .join(':');
}

function damaged(text: string): string {
  const at = Math.floor(Math.random() * text.length);
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

function keep<T>(all: T[], one: T, max: number): void {
  if (all.length < max) all.push(one);
  else all[Math.floor(Math.random() * max)] = one;
}

function any<T>(all: readonly T[]): T | undefined {
  return all[Math.floor(Math.random() * all.length)];
}
