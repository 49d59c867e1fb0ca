import { getSystemErrorMessage } from 'node:util';
import type { FailingStdioServer, LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import type { Log } from './log.ts';
import type { ProcessEvents } from './ops/process-metrics.ts';
import { Backoff } from './process/backoff.ts';
import type { OpenCarrier } from './process/carrier.ts';
import { titleOf } from './process/title-of.ts';
import { ServerProcess, type ServerKey } from './process/server-process.ts';

export type PoolOptions = {
  readonly processesMax: number;
  readonly idleMs: number;
  readonly lifetimeMs: number;
  /** How the limit is raised, for the error that says so. */
  readonly limitVariable: string;
  readonly clock: { nowMs(): number };
  readonly log: Log;
  readonly events: ProcessEvents;
  readonly prepare: (key: ServerKey, spec: LaunchSpec) => Promise<OpenCarrier | Refusal>;
  /** Its sessions ended with it. */
  readonly onGone: (process: ServerProcess) => void;
  readonly onListChanged: (process: ServerProcess) => void;
};

/** The last failure of a server, for people. */
type Failing = Omit<FailingStdioServer, 'failures' | 'retryAtMs'>;

/** A generation that was replaced, and a process whose lifetime is over, may finish what it does for this long. */
const RETIRED_MS = 30_000;
/** Connections to servers that are not started here: they cost memory, and little of it. */
const CONNECTIONS_MAX = 1_000;

/** All processes of this host: how many, which may start, and which must end. */
export class ProcessPool {
  readonly #options: PoolOptions;
  readonly #processes = new Set<ServerProcess>();
  readonly #backoff = new Backoff();
  readonly #failing = new Map<string, Failing>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  list(): ServerProcess[] {
    return [...this.#processes];
  }

  /** Servers that failed and are not forgiven yet, and when each may be started again. */
  failing(): FailingStdioServer[] {
    const nowMs = this.#options.clock.nowMs();
    return [...this.#failing].flatMap(([key, about]) => {
      const failures = this.#backoff.failuresOf(key, nowMs);
      return failures === null ? [] : [{ ...about, ...failures }];
    });
  }

  /** Starts a process, making room first if it must. It still has to be initialised. */
  async start(key: ServerKey, spec: LaunchSpec): Promise<ServerProcess | Refusal> {
    const started = await this.#start(key, spec).catch((error: unknown) => this.#cannotStart(key, spec, error));
    if (!(started instanceof ServerProcess)) this.#options.events.startFailed(started.code);
    return started;
  }

  async #start(key: ServerKey, spec: LaunchSpec): Promise<ServerProcess | Refusal> {
    const { clock, prepare } = this.#options;
    const waitMs = this.#backoff.waitMs(failureKey(key, spec), clock.nowMs());
    if (waitMs > 0) return inBackoff(spec, waitMs);
    const open = await prepare(key, spec);
    if ('code' in open) return open;
    for (;;) {
      const refused = await this.#makeRoom(spec);
      if (refused !== null) return refused;
      if (this.#closed) return refusal('stdio.stopping');
      // No await between this check and the start, so that two starts never take one place.
      if (this.#like(spec).length < this.#maxFor(spec)) return this.#run(key, spec, open);
    }
  }

  /** Lets processes of other generations of this server finish, and take nothing new. */
  retireOthers({ organisationId, serverId }: ServerKey, generation: string): void {
    for (const running of this.#processes) {
      const { key, spec } = running;
      if (key.organisationId !== organisationId || key.serverId !== serverId || spec.generation === generation) continue;
      running.retiredAtMs ??= this.#options.clock.nowMs();
    }
    this.sweep();
  }

  /** Ends what is idle or retired. Called on a timer. */
  sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const running of this.#processes) {
      if (running.state !== 'ready') continue;
      if (nowMs - running.startedAtMs >= this.#options.lifetimeMs) running.retiredAtMs ??= nowMs;
      const idle = running.exchange.inFlight === 0;
      const unused = idle && nowMs - Math.max(running.lastUsedAtMs, running.readAtMs) >= this.#options.idleMs;
      const retired = running.retiredAtMs !== null && (idle || nowMs - running.retiredAtMs >= RETIRED_MS);
      if (unused || retired) this.end(running, unused ? 'idle' : 'its lifetime is over, or a newer generation took its place');
    }
    this.#backoff.sweep(nowMs);
    for (const key of this.#failing.keys()) if (!this.#backoff.hasFailed(key, nowMs)) this.#failing.delete(key);
  }

  /** Stops one process and does not wait for it. */
  end(running: ServerProcess, why: string): void {
    this.#options.log.info({ ...about(running), why }, 'stopping a stdio server');
    void running.stop();
  }

  /** Stops everything; resolves when no process is left. Nothing can be started afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#processes].map((running) => running.stop()));
  }

  #run(key: ServerKey, spec: LaunchSpec, open: OpenCarrier): ServerProcess {
    const { clock, events, log, onGone, onListChanged } = this.#options;
    const started = new ServerProcess({
      ...{ key, spec, open, clock, onListChanged },
      onGone: (running, crash) => {
        this.#processes.delete(running);
        if (running.wasKilled) events.killed();
        if (crash !== null) this.#failed(running, crash);
        onGone(running);
      },
    });
    this.#processes.add(started);
    events.started(spec.isolation, this.#backoff.hasFailed(failureKey(key, spec), clock.nowMs()));
    log.info(about(started), 'started a stdio server');
    return started;
  }

  /** Its folder, its sandbox or its process could not be made on this machine; counts as a start that failed. */
  #cannotStart(key: ServerKey, spec: LaunchSpec, error: unknown): Refusal {
    const { clock, log } = this.#options;
    const { generation, slug } = spec;
    const how = `it could not be started: ${inWords(error)}`;
    this.#failing.set(failureKey(key, spec), { ...key, slug, generation, during: 'starting', how, stderrTail: [] });
    this.#backoff.startFailed(failureKey(key, spec), clock.nowMs());
    log.warn({ organisationId: key.organisationId, serverId: key.serverId, server: slug, err: error }, 'a stdio server cannot be started');
    return refusal('stdio.start_failed', `${titleOf(spec)}: ${how}.`);
  }

  #failed(running: ServerProcess, crash: 'starting' | 'ready'): void {
    const { clock, events, log } = this.#options;
    const key = failureKey(running.key, running.spec);
    const { generation, slug } = running.spec;
    this.#failing.set(key, { ...running.key, slug, generation, during: crash, how: running.ended, stderrTail: running.tail.lines() });
    if (crash === 'starting') {
      this.#backoff.startFailed(key, clock.nowMs());
      events.startFailed('stdio.start_failed');
    } else {
      this.#backoff.crashed(key, clock.nowMs());
      events.crashed();
    }
    log.warn({ ...about(running), during: crash, waitMs: this.#backoff.waitMs(key, clock.nowMs()) }, 'a stdio server failed');
  }

  /** Null when trying again makes sense: there was room, or a process has just ended. */
  async #makeRoom(spec: LaunchSpec): Promise<Refusal | null> {
    const { processesMax, limitVariable } = this.#options;
    const alike = this.#like(spec);
    if (alike.length < this.#maxFor(spec)) return null;
    const victim = leastNeeded(alike) ?? alike.find(({ state }) => state === 'stopping');
    if (victim === undefined) {
      if (spec.dial !== null)
        return refusal('stdio.limit', `${CONNECTIONS_MAX} connections stand and all are busy.`, { retryAfterMs: 1_000 });
      return refusal('stdio.limit', `${processesMax} processes run and all are busy. An operator can raise ${limitVariable}.`, {
        retryAfterMs: 1_000,
      });
    }
    if (victim.state === 'ready') this.#options.log.info({ ...about(victim), why: 'room for another' }, 'stopping a stdio server');
    await victim.stop();
    return null;
  }

  /** Those that take the same room: processes take another than connections. */
  #like({ dial }: LaunchSpec): ServerProcess[] {
    return this.list().filter((running) => (running.spec.dial === null) === (dial === null));
  }

  #maxFor({ dial }: LaunchSpec): number {
    return dial === null ? this.#options.processesMax : CONNECTIONS_MAX;
  }
}

/** The idle one without sessions, else the idle one unused for longest. */
function leastNeeded(processes: readonly ServerProcess[]): ServerProcess | undefined {
  const idle = processes.filter(({ state, exchange }) => state === 'ready' && exchange.inFlight === 0);
  const score = ({ sessions }: ServerProcess) => (sessions.size === 0 ? 0 : 1);
  return idle.sort((a, b) => score(a) - score(b) || a.lastUsedAtMs - b.lastUsedAtMs)[0];
}

function failureKey({ organisationId, serverId }: ServerKey, { generation }: LaunchSpec): string {
  return `${organisationId}/${serverId}/${generation}`;
}

/** For callers: nothing of our own paths, which a system's error names. */
function inWords(error: unknown): string {
  const isOfSystem = error instanceof Error && 'errno' in error && typeof error.errno === 'number';
  return isOfSystem ? getSystemErrorMessage(error.errno as number) : 'the log of its host says why';
}

function about({ key, spec, pid }: ServerProcess): Record<string, unknown> {
  return { organisationId: key.organisationId, serverId: key.serverId, server: spec.slug, childPid: pid };
}

function inBackoff(spec: LaunchSpec, waitMs: number): Refusal {
  const detail = `${titleOf(spec)} failed and is started again in ${Math.ceil(waitMs / 1_000)} s at the earliest.`;
  return refusal('upstream.unreachable', detail, { retryAfterMs: waitMs });
}
