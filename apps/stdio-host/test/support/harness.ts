import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { STDIO_HOST, StdioHostStatus, type LaunchSpec } from '@patchbay/contracts';
import type { Tracer } from '@opentelemetry/api';
import { createMetrics } from '@patchbay/telemetry';
import { startStdioHost, type RunningHost, type Settings } from '../../src/compose.ts';
import type { Limits } from '../../src/limits/limits.ts';
import type { Sandbox } from '../../src/sandbox/probe.ts';

export const SECRET = 'the-secret-of-callers';
export const FIXTURE = fileURLToPath(new URL('../fixtures/stdio-server.mjs', import.meta.url));
export const ORGANISATION = randomUUID();

/** A directory outside /tmp, because a sandbox has a /tmp of its own. */
const SCRATCH = fileURLToPath(new URL('../../node_modules/.scratch', import.meta.url));

export function makeHome(): string {
  mkdirSync(SCRATCH, { recursive: true });
  const home = mkdtempSync(join(SCRATCH, 'ho me-'));
  mkdirSync(join(home, 'keys'));
  writeFileSync(join(home, 'keys', 'master.key'), 'MASTER-KEY-BYTES');
  return home;
}

/** The control plane's launch endpoint over real HTTP. */
export class LaunchServer {
  readonly specs = new Map<string, LaunchSpec>();
  readonly asked: string[] = [];
  readonly defaultArgs: readonly string[] = [FIXTURE];
  #server: Server | null = null;
  url = '';

  async start(): Promise<this> {
    this.#server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
      this.asked.push(`${pathname} ${request.headers.authorization}`);
      const spec = this.specs.get(pathname.split('/')[6] ?? '');
      const found = spec !== undefined && spec.generation === searchParams.get('generation');
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(found ? JSON.stringify(spec) : '{}');
    });
    await new Promise<void>((ready) => this.#server?.listen(0, '127.0.0.1', ready));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    await new Promise((done) => this.#server?.close(done));
  }

  /** Registers a server; the answer is its id. */
  add(spec: Partial<LaunchSpec> & { slug: string }, serverId: string = randomUUID()): string {
    this.specs.set(serverId, {
      generation: 'g1',
      command: 'node',
      args: [...this.defaultArgs],
      env: {},
      isolation: 'session',
      dial: null,
      egress: { targets: [], openings: [] },
      ...spec,
    });
    return serverId;
  }
}

/** Generous: a test that is about one says so. */
export const LIMITS: Limits = { memoryBytes: 512 * 1024 * 1024, diskBytes: 64 * 1024 * 1024, tasksMax: 200, openFilesMax: 512, cpus: 2 };

export type HostOverrides = Omit<Partial<Settings>, 'limits'> & {
  limits?: Partial<Limits>;
  cgroups?: null;
  sandbox?: Sandbox;
  tracer?: Tracer | null;
};

export type TestHost = { host: RunningHost; launches: LaunchServer; home: string; url: string; stop(): Promise<void> };

/** A host in this process, on a free port, with a home of its own. */
export async function startHost({ cgroups, limits, sandbox, tracer = null, ...overrides }: HostOverrides = {}): Promise<TestHost> {
  const home = makeHome();
  const launches = await new LaunchServer().start();
  const settings: Settings = {
    ...{
      home,
      port: 0,
      processesMax: 32,
      idleMs: 300_000,
      lifetimeMs: 86_400_000,
      limits: { ...LIMITS, ...limits },
      refusedAddresses: [],
      startTimeoutMs: 30_000,
      drainMs: 200,
      path: process.env['PATH'] ?? '',
      version: '0',
    },
    ...overrides,
  };
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const host = await startStdioHost(settings, {
    log: quiet,
    clock: { nowMs: () => Date.now() },
    metrics: createMetrics(),
    tracer,
    knows: (secret) => secret === SECRET,
    ask: async ({ organisationId, serverId }, generation) => {
      const path = `/internal/v1/orgs/${organisationId}/servers/${serverId}/launch?generation=${generation}`;
      // What stays open is not the host's.
      const answer = await fetch(`${launches.url}${path}`, { headers: { connection: 'close' } });
      return { status: answer.status, text: await answer.text() };
    },
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(cgroups === undefined ? {} : { cgroups }),
  });
  const stop = async () => {
    await host.close();
    await launches.stop();
    rmSync(home, { recursive: true, force: true });
  };
  return { host, launches, home, url: `http://127.0.0.1:${host.port}`, stop };
}

export async function statusOf(url: string): Promise<StdioHostStatus> {
  const answer = await fetch(`${url}${STDIO_HOST.statusPath}`, { headers: { authorization: `Bearer ${SECRET}` } });
  return StdioHostStatus.parse(await answer.json());
}

/** Waits until `check` holds; the error names what was waited for. */
export async function until(what: string, check: () => boolean | Promise<boolean>, withinMs = 8_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Pids of processes of this machine whose environment holds the mark (Linux). */
export function processesMarked(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    });
}
