import { mkdir, realpath } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, resolve } from 'node:path';
import { ENV } from '@patchbay/contracts';
import type { Tracer } from '@opentelemetry/api';
import type { AddressPolicy } from '@patchbay/egress';
import type { PrivateListener } from '@patchbay/listening';
import type { Metrics } from '@patchbay/telemetry';
import { StdioHost } from './host.ts';
import { EgressGate } from './egress/gate.ts';
import { Cgroups } from './limits/cgroups.ts';
import { Holds } from './limits/holds.ts';
import type { Limits } from './limits/limits.ts';
import { prepareDial } from './dial/prepare-dial.ts';
import { LaunchSpecs, type AskControlPlane } from './launch-specs.ts';
import type { Log } from './log.ts';
import { McpEndpoint } from './mcp-endpoint.ts';
import { makeProcessEvents, registerProcesses } from './ops/process-metrics.ts';
import { makeRequestRecorder } from './ops/request-recorder.ts';
import { Stopping } from './ops/stopping.ts';
import { ProcessPool } from './pool.ts';
import { prepareLaunch } from './process/launcher.ts';
import { OrphanGuard } from './process/orphan-guard.ts';
import { probeSandbox, type Sandbox } from './sandbox/probe.ts';
import { createStdioServer } from './server.ts';
import { statusOf } from './status.ts';
import { ListChanges } from './streams/list-changes.ts';

/** How one host behaves; times in milliseconds. */
export type Settings = {
  readonly home: string;
  /** 0: any free port. */
  readonly port: number;
  /** Loopback when left away. */
  readonly listener?: PrivateListener;
  readonly processesMax: number;
  readonly idleMs: number;
  /** After so long a process takes no further sessions, and ends when it is idle, half a minute later at most. */
  readonly lifetimeMs: number;
  readonly startTimeoutMs: number;
  readonly limits: Limits;
  /** Our own listeners and stores: no server may reach one. */
  readonly refusedAddresses: AddressPolicy['refused'];
  /** How long requests in flight may take to end once `close` is called. */
  readonly drainMs: number;
  /** The PATH that servers get and commands are looked up in. */
  readonly path: string;
  readonly version: string;
};

/** What the host is handed: the world outside of it. */
export type Outside = {
  readonly log: Log;
  readonly ask: AskControlPlane;
  /** Whether this is the secret that callers must present; compares in constant time. */
  readonly knows: (secret: string) => boolean;
  readonly clock: { nowMs(): number };
  readonly metrics: Metrics;
  /** null: no spans. */
  readonly tracer: Tracer | null;
  /** What this machine can confine; found out when left away. */
  readonly sandbox?: Sandbox;
  /** By which it holds servers to their limits; found out when left away. */
  readonly cgroups?: Cgroups | null;
};

/** A listening host. `close` lets what is in flight end, takes nothing new, and resolves when every server it ran is gone. */
export type RunningHost = { readonly port: number; close(): Promise<void> };

/** The repository's (or image's) root: servers of our own dependencies run from it. */
const INSTALLATION = resolve(import.meta.dirname, '../../..');
const SWEEP_MS_MAX = 2_000;
const LOOPBACK: PrivateListener = { address: '127.0.0.1', isLoopback: true, certificate: null, metricsToken: null };

/** Builds every long-lived object of the stdio host and starts to listen. */
export async function startStdioHost(settings: Settings, outside: Outside): Promise<RunningHost> {
  await mkdir(settings.home, { recursive: true, mode: 0o700 });
  const home = await realpath(settings.home);
  const needed = [INSTALLATION, dirname(process.execPath), await realpath(process.execPath)];
  const { log, clock, metrics } = outside;
  const { listener = LOOPBACK } = settings;
  const sandbox = outside.sandbox ?? (await probeSandbox(home, needed));
  if (sandbox.tools === null) log.warn({ missing: sandbox.missing }, 'stdio servers run without a sandbox');
  const guard = new OrphanGuard();
  const holds = new Holds(settings.limits, outside.cgroups === undefined ? Cgroups.find(settings.limits) : outside.cgroups);
  EgressGate.removeLeft();
  const launcher = { ...settings, home, sandbox, guard, holds, needed };
  const listChanges = new ListChanges(clock);
  const pool = new ProcessPool({
    ...settings,
    clock,
    log,
    events: makeProcessEvents(metrics),
    limitVariable: ENV.stdioProcessesMax,
    prepare: async (key, spec) => {
      if (spec.dial === null) return prepareLaunch(key, spec, launcher);
      return prepareDial(spec.dial, { refused: settings.refusedAddresses, openings: spec.egress.openings });
    },
    onGone: (running) => host.forgetProcess(running),
    // Servers that are connected to are listened to on a connection of the control plane's own.
    onListChanged: ({ key, spec }) => spec.dial === null && listChanges.tell(key),
  });
  const host = new StdioHost({
    ...settings,
    specs: new LaunchSpecs(outside.ask, { clock, confines: sandbox.tools !== null }),
    pool,
    clock,
  });
  registerProcesses(metrics, pool, settings.processesMax);
  const stopping = new Stopping(settings.drainMs);
  const isStopping = (): boolean => stopping.hasBegun;
  const endpoint = new McpEndpoint({ host, recorder: makeRequestRecorder(metrics, outside.tracer), isStopping });
  const status = (serverId: string | null) => statusOf({ pool, sandbox, holds, processesMax: settings.processesMax }, serverId);
  const server = createStdioServer({ listener, knows: outside.knows, endpoint, listChanges, metrics, isStopping, status, log });
  const sweeping = setInterval(() => host.sweep(), Math.max(20, Math.min(SWEEP_MS_MAX, settings.idleMs / 4)));
  await new Promise<void>((ready, failed) => server.once('error', failed).listen(settings.port, listener.address, ready));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      clearInterval(sweeping);
      host.hangUp();
      listChanges.hangUp();
      await stopping.drain(server, () => pool.close());
      guard.close();
    },
  };
}
