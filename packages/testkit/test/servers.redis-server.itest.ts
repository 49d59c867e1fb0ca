import { Redis } from 'ioredis';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { testRedis, testRedisServer, type TestRedisServer, type TestRedisServerOptions } from '../src/index.ts';

afterEach(() => vi.unstubAllEnvs());

async function start(options?: TestRedisServerOptions): Promise<TestRedisServer> {
  const server = await testRedisServer(options);
  onTestFinished(() => server.stop());
  return server;
}

function connect(url: string, options: { commandTimeout?: number } = {}): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 1, ...options });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

test('a killed server comes back on its port with its data when it is persistent', async () => {
  const server = await start({ persistent: true });
  await connect(server.url).set('kept', 'yes');
  const killed = server.pid;
  await server.kill();
  expect(() => process.kill(killed, 0)).toThrow(/ESRCH/);
  await expect(connect(server.url).ping()).rejects.toThrow();
  await server.start();
  expect(server.pid).not.toBe(killed);
  expect(await connect(server.url).get('kept')).toBe('yes');
});

test('it comes back empty when it is not, or when asked to', async () => {
  for (const persistent of [false, true]) {
    const server = await start({ persistent });
    await connect(server.url).set('lost', 'yes');
    await server.kill();
    await server.start({ withoutData: true });
    expect(await connect(server.url).get('lost')).toBeNull();
  }
});

test('a paused server answers nobody until it is resumed', async () => {
  const server = await start();
  const client = connect(server.url, { commandTimeout: 200 });
  expect(await client.ping()).toBe('PONG');
  server.pause();
  await expect(client.ping()).rejects.toThrow(/timed out/);
  server.resume();
  await vi.waitFor(async () => expect(await client.ping()).toBe('PONG'));
});

test('nobody enters without the password, and settings reach the server', async () => {
  const server = await start({ settings: { 'maxmemory-policy': ['allkeys-lru'] } });
  await expect(connect(`redis://127.0.0.1:${server.port}`).get('x')).rejects.toThrow(/NOAUTH/);
  expect(await connect(server.url).config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru']);
});

test('on a server named by REDIS_URL each test has an empty database of its own, and touches no other', async () => {
  const server = await start();
  const database = (k: number) => server.url.replace(/0$/, String(k));
  await connect(database(0)).set('theirs', '0');
  await connect(database(15)).set('theirs', '15');
  vi.stubEnv('REDIS_URL', server.url);
  const [one, two] = [await testRedis(), await testRedis()];
  expect([one.url, two.url]).toEqual([database(14), database(13)]);
  await connect(one.url).set('ours', 'yes');
  expect(await connect(two.url).get('ours')).toBeNull();
  await one.stop();
  await two.stop();
  expect(await connect(one.url).dbsize()).toBe(0);
  expect(await connect(database(0)).get('theirs')).toBe('0');
  expect(await connect(database(15)).get('theirs')).toBe('15');
});
