import type { RedisOptions } from 'ioredis';

/** What the client is told about where Redis is. */
export type RedisTarget = Omit<RedisOptions, 'replyMapping'>;

type Address = { readonly host: string; readonly port: number };

const FORM = /^(rediss?)(\+sentinel)?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;
const EXAMPLES = 'redis://user:password@host:6379/0 or redis+sentinel://user:password@host1:26379,host2:26379/master-name?db=0';

/**
 * Where a Redis is, from `redis://user:password@host:port/db` or `redis+sentinel://user:password@host:port,host:port/master-name?db=0`;
 * `rediss` in place of `redis` for TLS. Sentinels that ask for a password of their own: `&sentinel_username=…&sentinel_password=…`.
 * Throws a sentence that never holds the address, which may hold a password.
 */
export function parseRedisUrl(text: string): RedisTarget {
  const [, scheme, sentinel, credentials, authority = '', path = '', query] = FORM.exec(text.trim()) ?? refuse('has not the form');
  const isTls = scheme === 'rediss';
  const common = { ...credentialsOf(credentials), ...(isTls ? { tls: {} } : {}) };
  const parameters = new URLSearchParams(query);
  if (sentinel === undefined) {
    allowOnly(parameters, []);
    const [address, ...more] = addressesOf(authority, 6_379);
    if (address === undefined || more.length > 0) return refuse('names more than one host without being redis+sentinel');
    return { ...common, host: address.host, port: address.port, db: databaseOf(path) };
  }
  allowOnly(parameters, ['db', 'sentinel_username', 'sentinel_password']);
  if (path === '') return refuse('names no master, which sentinels know it by');
  const [username, password] = [parameters.get('sentinel_username'), parameters.get('sentinel_password')];
  return {
    ...common,
    sentinels: addressesOf(authority, 26_379),
    name: decodeURIComponent(path),
    db: databaseOf(parameters.get('db') ?? ''),
    ...(username === null ? {} : { sentinelUsername: username }),
    ...(password === null ? {} : { sentinelPassword: password }),
    ...(isTls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

function refuse(why: string): never {
  throw new Error(`The address of Redis ${why}: it is ${EXAMPLES}, with rediss in place of redis for TLS.`);
}

function credentialsOf(text: string | undefined): { username?: string; password?: string } {
  if (text === undefined) return {};
  const [username = '', ...rest] = text.split(':');
  if (rest.length > 1) return refuse('has a ":" in its password that is not written %3A');
  try {
    return {
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(rest[0] === undefined ? {} : { password: decodeURIComponent(rest[0]) }),
    };
  } catch {
    return refuse('has a "%" in its user or password that is not written %25');
  }
}

function addressesOf(text: string, defaultPort: number): Address[] {
  return text.split(',').map((each) => {
    const [, host = '', port = String(defaultPort)] = ADDRESS.exec(each) ?? refuse('has not the form');
    if (Number(port) < 1 || Number(port) > 65_535) return refuse('has a port that is none');
    return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) };
  });
}

function databaseOf(text: string): number {
  return text === '' ? 0 : /^\d{1,5}$/.test(text) ? Number(text) : refuse('has a database that is not a number');
}

/** A parameter that nobody reads would be believed to work. */
function allowOnly(parameters: URLSearchParams, known: readonly string[]): void {
  for (const name of parameters.keys()) if (!known.includes(name)) refuse('has a parameter that is not known');
}
