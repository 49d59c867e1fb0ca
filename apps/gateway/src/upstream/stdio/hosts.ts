import { createHash } from 'node:crypto';
import type { Dispatcher } from 'undici';

/** One stdio host of the configured list. */
export type StdioHost = {
  /** What records and session ids say in place of its address: derived from it, so the same on every pod. */
  readonly id: string;
  /** Its URL, for people. */
  readonly name: string;
  readonly pool: Dispatcher;
  /** Connections of their own for streams, which last for hours. */
  readonly streams: Dispatcher;
  /** Of its URL; without a slash at the end. */
  readonly basePath: string;
};

export type StdioHostsDeps = {
  /** At least one. */
  readonly hosts: readonly StdioHost[];
  /** Whether the host answers, within a bound. Never rejects. */
  readonly probe: (host: StdioHost) => Promise<boolean>;
  readonly logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  readonly probeEveryMs?: number;
};

/** What is to be done on a host that is away, once it is back. Must not reject. */
export type Debt = () => Promise<void>;

const PROBE_EVERY_MS = 2_000;
const DEBTS_MAX = 10_000;

type Belief = {
  readonly host: StdioHost;
  readonly debts: Set<Debt>;
  isAlive: boolean;
  diedAtMs: number;
  /** A look that is under way: whoever wants to know waits for the same one. */
  looking: Promise<void> | null;
};

/**
 * The stdio hosts and which of them this pod believes alive: each is probed off the calls' path, and one that a call could not
 * reach is given up at once. A call that finds no other host asks those that are away. A list of one is never probed nor given up:
 * there is no other.
 */
export class StdioHosts {
  readonly all: readonly StdioHost[];
  readonly #deps: StdioHostsDeps;
  readonly #beliefs: ReadonlyMap<string, Belief>;
  #timers: NodeJS.Timeout[] = [];

  constructor(deps: StdioHostsDeps) {
    this.#deps = deps;
    this.all = deps.hosts;
    this.#beliefs = new Map(
      deps.hosts.map((host) => [host.id, { host, isAlive: true, diedAtMs: 0, debts: new Set<Debt>(), looking: null }]),
    );
    if (!this.isSingle) for (const belief of this.#beliefs.values()) this.#watch(belief);
  }

  get isSingle(): boolean {
    return this.all.length === 1;
  }

  /** null: not of this list. */
  byId(id: string): StdioHost | null {
    return this.#beliefs.get(id)?.host ?? null;
  }

  isAlive({ id }: StdioHost): boolean {
    return this.#beliefs.get(id)?.isAlive ?? false;
  }

  /** Nothing could be sent to it. False when that changes nothing, for it is the only one. */
  giveUp({ id }: StdioHost, why: string): boolean {
    const belief = this.#beliefs.get(id);
    if (belief === undefined || this.isSingle) return false;
    belief.diedAtMs = performance.now();
    if (belief.isAlive) this.#deps.logger.warn({ stdioHost: belief.host.name, why }, 'a stdio host is given up until it answers again');
    belief.isAlive = false;
    return true;
  }

  /** Whether it can be used after all: one that is believed away is asked now, and given what it is owed before it is used. */
  async isBack({ id }: StdioHost): Promise<boolean> {
    const belief = this.#beliefs.get(id);
    if (belief === undefined) return false;
    if (!belief.isAlive) await this.#look(belief);
    return belief.isAlive;
  }

  /** Remembered until the host is back, and done before it is used again; as long as this pod lives and within bounds. */
  owe({ id }: StdioHost, debt: Debt): void {
    const debts = this.#beliefs.get(id)?.debts;
    if (debts !== undefined && debts.size < DEBTS_MAX) debts.add(debt);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
  }

  #watch(belief: Belief): void {
    const timer = setTimeout(
      () => void this.#look(belief).finally(() => this.#timers.length > 0 && timer.refresh()),
      this.#deps.probeEveryMs ?? PROBE_EVERY_MS,
    );
    timer.unref();
    this.#timers.push(timer);
  }

  #look(belief: Belief): Promise<void> {
    belief.looking ??= this.#lookOnce(belief).finally(() => {
      belief.looking = null;
    });
    return belief.looking;
  }

  /** One probe may be late on a busy machine: only the second in a row counts. */
  async #lookOnce(belief: Belief): Promise<void> {
    const { host } = belief;
    const beganAtMs = performance.now();
    const answers = (await this.#deps.probe(host)) || (belief.isAlive && (await this.#deps.probe(host)));
    if (!answers && belief.isAlive) this.giveUp(host, 'it does not answer its probe');
    // What a call found out while the probe was on its way is newer.
    if (!answers || belief.isAlive || belief.diedAtMs > beganAtMs) return;
    const debts = [...belief.debts];
    belief.debts.clear();
    await Promise.all(debts.map((debt) => debt()));
    belief.isAlive = true;
    this.#deps.logger.info({ stdioHost: host.name, debts: debts.length }, 'a stdio host is back');
  }
}

/** The id that a host's URL gives it on every pod. */
export function hostIdOf(url: URL): string {
  return createHash('sha256').update(url.href).digest('base64url').slice(0, 16);
}
