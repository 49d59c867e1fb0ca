import type { Network, Place } from '../network.ts';
import type { PlacementWorld } from './placement-world.ts';

/** What a host answers: the id of the session it opened, or what came of a call. */
export type Opened = { readonly session: string } | { readonly code: string };
export type Called = 'executed' | 'gone';

const STARTS_MS = { min: 5, max: 400 };
/** How long a host that was told to stop goes on answering. */
const STOPPING_MS = 2_500;

/** A stdio host: sessions, and of each shared server one process, which end with it. */
export class SimulatedHost {
  readonly name: string;
  readonly id: string;
  readonly place: Place;
  /** Servers that have a process here. */
  readonly running = new Set<string>();
  readonly #world: PlacementWorld;
  readonly #sessions = new Map<string, string>();
  #isStopping = false;
  #opened = 0;

  constructor(world: PlacementWorld, name: string, id: string) {
    this.#world = world;
    this.name = name;
    this.id = id;
    this.place = { name, process: { name, alive: true } };
  }

  get isReady(): boolean {
    return this.place.process?.alive === true && !this.#isStopping;
  }

  start(): void {
    if (this.place.process !== null) return;
    this.#world.trace.note(`${this.name} starts`);
    this.#isStopping = false;
    this.place.process = { name: this.name, alive: true };
  }

  kill(): void {
    const { process } = this.place;
    if (process === null) return;
    this.#world.trace.note(`${this.name} is gone`);
    process.alive = false;
    this.place.process = null;
    this.running.clear();
    this.#sessions.clear();
  }

  /** It runs from now on, and does not stop. */
  restart(): void {
    if (this.#isStopping) this.kill();
    this.start();
  }

  /** As on SIGTERM: it says so, and only then it is gone. */
  stop(): void {
    const { process } = this.place;
    if (process === null || this.#isStopping) return;
    this.#world.trace.note(`${this.name} stops`);
    this.#isStopping = true;
    this.#sessions.clear();
    this.#world.scheduler.plan(STOPPING_MS, () => {
      if (this.place.process === process) this.kill();
    });
  }

  /** An `initialize`: starts the server's process unless it runs. */
  async open(server: string): Promise<Opened> {
    if (this.#isStopping) return { code: 'stdio.stopping' };
    const { process } = this.place;
    const { random, scheduler } = this.#world;
    if (!this.running.has(server)) await scheduler.sleep(random.between(STARTS_MS.min, STARTS_MS.max));
    if (this.place.process !== process || this.#isStopping) return { code: 'stdio.stopping' };
    if (!this.running.has(server)) this.#world.trace.note(`${server} starts on ${this.name}`);
    this.running.add(server);
    const session = `${this.name}/${(this.#opened += 1)}`;
    this.#sessions.set(session, server);
    return { session };
  }

  call(session: string): Called {
    return this.#sessions.has(session) ? 'executed' : 'gone';
  }

  /** Ends a session; without one the process of the server, and its sessions with it. */
  end(server: string, session: string | null): void {
    if (session !== null) this.#sessions.delete(session);
    else {
      this.#world.trace.note(`${server} is ended on ${this.name}`);
      this.running.delete(server);
      for (const [each, of] of this.#sessions) if (of === server) this.#sessions.delete(each);
    }
  }
}

/** Whether nothing was sent: the connection was refused. */
export function wasUnsent(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith('refused');
}

/** Asks a host; see `Network.request`. */
export function askHost<T>(
  network: Network,
  from: string,
  host: SimulatedHost,
  { timeoutMs, work }: { timeoutMs: number; work: () => T | Promise<T> },
): Promise<T> {
  return network.request(from, host.place, { timeoutMs, work });
}
