import { StdioHosts, type StdioHost } from '../../../apps/gateway/dist/upstream/stdio/hosts.js';
import { Placement, type Placed } from '../../../apps/gateway/dist/upstream/stdio/placement.js';
import { StdioWays } from '../../../apps/gateway/dist/upstream/stdio/ways.js';
import { openOnOne, type Way } from '../../../apps/gateway/dist/upstream/ways.js';
import type { Owner } from '../scheduler.ts';
import type { PlacementWorld } from './placement-world.ts';
import { askHost, wasUnsent, type SimulatedHost } from './simulated-host.ts';

/** Where a call went, and what came of it. */
export type Outcome = { readonly kind: 'executed' | 'failed'; readonly host: string | null; readonly why: string };
type Refusal = Extract<Awaited<ReturnType<typeof openOnOne<Session>>>, { code: unknown }>;
type Session = { readonly id: string; readonly protocolVersion: string; readonly instance: string | null };
type Life = {
  readonly owner: Owner;
  readonly hosts: StdioHosts;
  readonly ways: Map<string, StdioWays>;
  readonly sessions: Map<string, Session>;
};
type Sent = 'executed' | 'gone' | 'dial' | 'timeout';

const PROBE_MS = 2_000;
const REQUEST_MS = 5_000;
const END_MS = 3_000;
/** As the gateway's calls do it. */
const REPLACEMENTS_MAX = 2;

/** One gateway, as far as it chooses stdio hosts. What it runs is the gateway's own code; how it sends is simulated. */
export class PlacingPod {
  readonly name: string;
  readonly #world: PlacementWorld;
  #life: Life | null = null;

  constructor(world: PlacementWorld, name: string) {
    this.#world = world;
    this.name = name;
  }

  get isAlive(): boolean {
    return this.#life !== null;
  }

  start(): void {
    if (this.#life !== null) return;
    const { keyring, mutation, scheduler, servers, store, trace } = this.#world;
    trace.note(`${this.name} starts`);
    const owner: Owner = { name: this.name, alive: true };
    const logger = { info: () => undefined, warn: () => undefined };
    const clock = { nowMs: () => scheduler.nowMs };
    this.#life = scheduler.as(owner, () => {
      const list = this.#world.hosts.map(
        ({ id, name }): StdioHost => ({ id, name, basePath: '', pool: null as never, streams: null as never }),
      );
      const hosts = new StdioHosts({ hosts: list, probe: (host) => this.#probe(host), logger });
      const endOn = (host: StdioHost, placed: Placed, session?: { readonly id: string | null }): Promise<void> =>
        this.#endOn(host, placed, session?.id ?? null);
      const deps = { hosts, store: store.portsOf(this.name, owner).sharedStore, keyring, clock, endOn, counters: SILENT, logger };
      const placement = new Placement(mutation(deps));
      const ways = new Map(
        servers.map((placed) => [keyOf(placed), new StdioWays({ hosts, placement, endOn: mutation(deps).endOn }, placed, null)]),
      );
      return { owner, hosts, ways, sessions: new Map() };
    });
  }

  kill(): void {
    if (this.#life === null) return;
    this.#world.trace.note(`${this.name} is killed`);
    this.#life.owner.alive = false;
    this.#life = null;
  }

  /** One call to a server; null when the pod died under it. */
  async call(placed: Placed): Promise<Outcome | null> {
    const life = this.#life;
    if (life === null) return null;
    const outcome = await this.#world.scheduler.as(life.owner, () => this.#call(life, placed));
    return life.owner.alive ? outcome : null;
  }

  async #call(life: Life, placed: Placed): Promise<Outcome> {
    const id = keyOf(placed);
    const { slug } = placed.server;
    const ways = life.ways.get(id) as StdioWays;
    for (let replacements = 0; ; replacements += 1) {
      const session = life.sessions.get(id) ?? (await this.#open(life, placed));
      if ('code' in session) return { kind: 'failed', host: null, why: session.code };
      life.sessions.set(id, session);
      const way = ways.to(session);
      const sent = way === null ? 'gone' : await this.#sendDialling(placed, session, way);
      const host = this.#world.hosts.find((each) => each.id === session.instance)?.name ?? slug;
      if (sent === 'executed') return { kind: 'executed', host, why: '' };
      if (sent !== 'gone' || replacements === REPLACEMENTS_MAX) return { kind: 'failed', host, why: sent };
      ways.abandon(session);
      if (life.sessions.get(id) === session) life.sessions.delete(id);
    }
  }

  async #sendDialling(placed: Placed, session: Session, way: Way): Promise<Sent> {
    const first = await this.#send(placed, session);
    const sent = first === 'dial' ? await this.#send(placed, session) : first;
    return sent === 'dial' && way.giveUp() ? 'gone' : sent;
  }

  async #send(placed: Placed, { id, instance }: Session): Promise<Sent> {
    const host = this.#hostOf(instance);
    this.#world.rules.chose(this, placed, host);
    return this.#ask(host, REQUEST_MS, () => {
      const called = host.call(id);
      if (called === 'executed') this.#world.rules.executed(this, placed, host);
      return called;
    }).catch((error: unknown): Sent => (wasUnsent(error) ? 'dial' : 'timeout'));
  }

  async #open(life: Life, placed: Placed): Promise<Session | Refusal> {
    const { slug } = placed.server;
    const outcome = await openOnOne(life.ways.get(keyOf(placed)) as StdioWays, { owner: '', slug }, (way) => this.#openOn(placed, way));
    if ('code' in outcome) return outcome;
    return outcome.opened;
  }

  async #openOn(placed: Placed, way: Way): Promise<Session | Refusal> {
    const host = this.#hostOf(way.instance);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const opened = await this.#ask(host, REQUEST_MS, () => host.open(keyOf(placed)));
        if ('code' in opened) return refusal(opened.code);
        return { id: opened.session, protocolVersion: '2025-11-25', instance: host.id };
      } catch (error) {
        if (wasUnsent(error) && attempt === 0) continue;
        if (wasUnsent(error)) way.giveUp();
        return refusal(wasUnsent(error) ? 'upstream.unreachable' : 'upstream.timeout');
      }
    }
  }

  async #probe({ id }: StdioHost): Promise<boolean> {
    const host = this.#hostOf(id);
    return this.#ask(host, PROBE_MS, () => host.isReady).catch(() => false);
  }

  async #endOn({ id }: StdioHost, placed: Placed, session: string | null): Promise<void> {
    const host = this.#hostOf(id);
    await this.#ask(host, END_MS, () => host.end(keyOf(placed), session)).catch(() => undefined);
  }

  #ask<T>(host: SimulatedHost, timeoutMs: number, work: () => T | Promise<T>): Promise<T> {
    return askHost(this.#world.network, this.name, host, { timeoutMs, work });
  }

  #hostOf(id: string | null): SimulatedHost {
    const host = this.#world.hosts.find((each) => each.id === id);
    if (host === undefined) throw new Error(`sent to a host that is not configured: ${String(id)}`);
    return host;
  }
}

function refusal(code: string): Refusal {
  return { code: code as Refusal['code'], detail: null, data: null };
}

const SILENT = { moves: { inc: () => undefined }, recordsIgnored: { inc: () => undefined } };

/** A server's name at a host: of its organisation too. */
export function keyOf({ organisationId, server }: Placed): string {
  return `${organisationId}/${server.id}/${server.generation}`;
}
