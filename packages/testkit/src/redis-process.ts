import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { guardAgainstOrphan } from './orphan-guard.ts';

/** A server says the one, a sentinel the other. */
const READY = /Ready to accept connections|Sentinel ID is/;

export type RunningRedis = { readonly pid: number; signal(name: NodeJS.Signals): void; end(signal: NodeJS.Signals): Promise<void> };

/** One redis-server with its files under `home`, gone with this process whatever becomes of it. Resolves when it takes connections. */
export async function launchRedis(home: string, args: readonly string[]): Promise<RunningRedis> {
  const dir = join(home, 'data');
  mkdirSync(dir, { recursive: true });
  const child = spawn('redis-server', [...args, '--dir', dir], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await ready(child);
  const pid = child.pid ?? 0;
  const guard = guardAgainstOrphan(pid, home, 'KILL');
  return {
    pid,
    signal: (name) => void child.kill(name),
    async end(signal) {
      child.kill(signal);
      await exited;
      guard.end();
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const hear = (chunk: Buffer): void => {
      output = `${output}${chunk.toString()}`.slice(-8_192);
      if (READY.test(output)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', (error) =>
      reject(new Error(`This test needs redis-server on the PATH (Debian: apt-get install redis-server): ${error.message}`)),
    );
    child.once('close', (code) => reject(new Error(`redis-server ended (${code}):\n${output}`)));
  });
}

/** One that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
