import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENV, type LaunchSpec, STDIO_HOST, StdioHostStatus } from '@patchbay/contracts';
import { HOST_SECRET } from './gateway.ts';

const STDIO_HOST_FOLDER = fileURLToPath(new URL('../../../stdio-host/', import.meta.url));
const MAIN = join(STDIO_HOST_FOLDER, 'src/main.ts');
/** Not under /tmp, because a sandbox has a /tmp of its own. */
const SCRATCH = fileURLToPath(new URL('../../node_modules/.scratch', import.meta.url));

/** A server of the stdio host's own tests: counts, waits, says its pid. */
export const FIXTURE = join(STDIO_HOST_FOLDER, 'test/fixtures/stdio-server.mjs');
export const EVERYTHING = realpathSync(commandOf('@modelcontextprotocol/server-everything'));
export const MEMORY = realpathSync(commandOf('@modelcontextprotocol/server-memory'));

function commandOf(name: string): string {
  const require = createRequire(MAIN);
  const manifest = require.resolve(`${name}/package.json`);
  return join(dirname(manifest), Object.values((require(manifest) as { bin: Record<string, string> }).bin)[0] ?? '');
}

/** Says what to run, as the control plane does. */
export type Launches = { readonly url: string; readonly specs: Map<string, LaunchSpec>; close(): Promise<void> };

export async function startLaunches(): Promise<Launches> {
  const specs = new Map<string, LaunchSpec>();
  const server = createServer((request, response) => {
    const spec = specs.get(new URL(request.url ?? '/', 'http://x').pathname.split('/')[6] ?? '');
    response.writeHead(spec === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(spec ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, specs, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** The stdio host's program as a process of its own. */
export type HostProcess = {
  readonly url: string;
  readonly child: ChildProcess;
  status(): Promise<StdioHostStatus>;
  /** Kills it, and removes its home. */
  dispose(): Promise<void>;
};

export async function startHostProcess(launches: Launches, more: Record<string, string> = {}): Promise<HostProcess> {
  mkdirSync(SCRATCH, { recursive: true });
  const home = mkdtempSync(join(SCRATCH, 'host-'));
  const port = Number(more[ENV.stdioHostPort] ?? (await freePort()));
  const secretFile = join(home, 'secret');
  writeFileSync(secretFile, `${HOST_SECRET}\n`, { mode: 0o600 });
  const env = {
    PATH: process.env['PATH'] ?? '',
    [ENV.home]: home,
    [ENV.controlPlaneInternalUrl]: launches.url,
    [ENV.stdioHostPort]: String(port),
    [ENV.toStdioHostSecretFile]: secretFile,
    [ENV.stdioHostSecretFile]: secretFile,
    ...more,
  };
  const child = spawn(process.execPath, ['--conditions=patchbay-source', MAIN], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  const ended = once(child, 'exit');
  for (let tries = 0; !(await isLive(url)); tries += 1) {
    if (tries > 400 || child.exitCode !== null) throw new Error('the stdio host does not come up');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    child,
    async status() {
      const answer = await fetch(`${url}${STDIO_HOST.statusPath}`, { headers: { authorization: `Bearer ${HOST_SECRET}` } });
      return StdioHostStatus.parse(await answer.json());
    },
    async dispose() {
      child.kill('SIGKILL');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function isLive(url: string): Promise<boolean> {
  return fetch(`${url}/livez`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
