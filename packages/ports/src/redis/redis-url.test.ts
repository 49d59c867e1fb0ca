import { expect, test } from 'vitest';
import { parseRedisUrl } from './redis-url.ts';

test('a plain address', () => {
  expect(parseRedisUrl('redis://cache.internal')).toEqual({ host: 'cache.internal', port: 6379, db: 0 });
  expect(parseRedisUrl(' redis://u:p%40ss%3A@[::1]:7000/3\n')).toEqual({
    host: '::1',
    port: 7000,
    db: 3,
    username: 'u',
    password: 'p@ss:',
  });
  expect(parseRedisUrl('redis://:secret@127.0.0.1/')).toEqual({ host: '127.0.0.1', port: 6379, db: 0, password: 'secret' });
});

test('TLS is asked for by the scheme, towards sentinels too', () => {
  expect(parseRedisUrl('rediss://host:6380/0')).toEqual({ host: 'host', port: 6380, db: 0, tls: {} });
  expect(parseRedisUrl('rediss+sentinel://one/main')).toMatchObject({ tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true });
});

test('sentinels, the name they know the master by, and their own password', () => {
  expect(parseRedisUrl('redis+sentinel://user:pass@one:26379,two:26380,three/mymaster?db=2')).toEqual({
    username: 'user',
    password: 'pass',
    sentinels: [
      { host: 'one', port: 26379 },
      { host: 'two', port: 26380 },
      { host: 'three', port: 26379 },
    ],
    name: 'mymaster',
    db: 2,
  });
  expect(parseRedisUrl('redis+sentinel://one/m?sentinel_username=s&sentinel_password=p%26q')).toMatchObject({
    sentinelUsername: 's',
    sentinelPassword: 'p&q',
  });
});

test.each([
  ['', /form/],
  ['http://host', /form/],
  ['redis://', /form/],
  ['redis://host:port', /form/],
  ['redis://host:99999', /port/],
  ['redis://host/x', /database/],
  ['redis://a:1,b:2/0', /more than one host/],
  ['redis://host?db=1', /parameter/],
  ['redis+sentinel://one:26379', /no master/],
  ['redis+sentinel://one/m?database=1', /parameter/],
  ['redis://user:hunter2:extra@host', /%3A/],
  ['redis://user:hunter2%@host', /%25/],
])('%s is refused, without repeating it', (text, why) => {
  expect(() => parseRedisUrl(text)).toThrow(why);
  expect(() => parseRedisUrl(text)).not.toThrow(/hunter2/);
});
