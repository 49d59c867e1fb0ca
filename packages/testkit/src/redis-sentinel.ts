import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, launchRedis } from './redis-process.ts';
import { testRedisServer, type TestRedisServer } from './redis-server.ts';

export type TestRedisSentinel = {
  /** As the documentation has it: one sentinel, which knows the master as `mymaster`. */
  readonly url: string;
  readonly sentinelPort: number;
  /** The server that is the master at the start; `kill` it. */
  readonly master: TestRedisServer;
  /** The server that follows it, and is in step with it. */
  readonly replica: TestRedisServer;
  /** Ends all three and removes their files. */
  stop(): Promise<void>;
};

/** A master that is away this long has failed. */
const DOWN_AFTER_MS = 500;

/** A real master, a replica and one sentinel whose word suffices. The sentinel learns of the replica within a second or two. */
export async function testRedisSentinel(): Promise<TestRedisSentinel> {
  const settings = { 'repl-diskless-sync-delay': ['0'] };
  const master = await testRedisServer({ settings });
  const { password } = master;
  const replica = await testRedisServer({ password, settings: { ...settings, replicaof: ['127.0.0.1', String(master.port)] } });
  const home = mkdtempSync(join(tmpdir(), 'patchbay-test-sentinel-'));
  const sentinelPort = await freePort();
  const config = join(home, 'sentinel.conf');
  writeFileSync(config, configOf(sentinelPort, master.port, password));
  const sentinel = await launchRedis(home, [config, '--sentinel']);
  return {
    url: `redis+sentinel://:${password}@127.0.0.1:${sentinelPort}/mymaster?db=0`,
    sentinelPort,
    master,
    replica,
    async stop() {
      await Promise.all([sentinel.end('SIGKILL'), master.stop(), replica.stop()]);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function configOf(port: number, masterPort: number, password: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `sentinel monitor mymaster 127.0.0.1 ${masterPort} 1`,
    `sentinel auth-pass mymaster ${password}`,
    `sentinel down-after-milliseconds mymaster ${DOWN_AFTER_MS}`,
    'sentinel failover-timeout mymaster 5000',
    '',
  ].join('\n');
}
