import type { Placed } from '../../../apps/gateway/dist/upstream/stdio/placement.js';
import { Violation } from '../trace.ts';
import type { PlacementWorld } from './placement-world.ts';
import { keyOf, type PlacingPod } from './placing-pod.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** A lease is renewed at the first use that comes this long after the last time. */
const RENEWED_MS = 5_000;
/** What an answer of the store may take. */
const ANSWERED_MS = 2_000;
/** What somebody else has written stands this long at most: until the next renewal, which reads it and then writes over it. */
export const RESTORED_MS = RENEWED_MS + 2 * ANSWERED_MS;
/** Trouble is over this long after it ended: until then beliefs may differ, and probes be on their way. */
const SETTLED_MS = 15_000;

type Use = { readonly atMs: number; readonly host: string };

/** The rules of docs/architecture/stdio-hosts.md, checked at every choice and every call. */
export class PlacementRules {
  readonly #world: PlacementWorld;
  readonly #uses = new Map<string, Use>();
  readonly #records = new Map<string, { host: string | null; sinceMs: number }>();
  readonly #rewritten = new Map<string, number>();
  #troubledMs = 0;
  calls = 0;
  executions = 0;
  moves = 0;

  constructor(world: PlacementWorld) {
    this.#world = world;
  }

  /** Something goes wrong, or did until now. */
  troubled(): void {
    this.#troubledMs = this.#world.scheduler.nowMs;
  }

  get isCalm(): boolean {
    return this.#world.scheduler.nowMs - this.#troubledMs > SETTLED_MS;
  }

  /** Somebody without the key has written where the record of this server lies. */
  rewritten(placed: Placed): void {
    this.#rewritten.set(keyOf(placed), this.#world.scheduler.nowMs);
  }

  /** Where a gateway last used a server; null: nowhere yet. */
  lastUse({ name }: PlacingPod, placed: Placed): string | null {
    return this.#uses.get(`${name} ${keyOf(placed)}`)?.host ?? null;
  }

  /** A gateway follows the record: what it uses at the second use after it could have heard of a move is where the record says. */
  chose({ name }: PlacingPod, placed: Placed, host: SimulatedHost): void {
    if (placed.server.isolation !== 'shared') return;
    const { nowMs } = this.#world.scheduler;
    const record = this.#follow(placed);
    const key = `${name} ${keyOf(placed)}`;
    const before = this.#uses.get(key);
    this.#uses.set(key, { atMs: nowMs, host: host.name });
    if (record.host === null || record.host === host.name || !this.isCalm) return;
    if (before !== undefined && before.atMs >= record.sinceMs + RENEWED_MS && nowMs - before.atMs >= ANSWERED_MS)
      throw new Violation(
        'gateways follow the record',
        `${name} uses ${keyOf(placed)} on ${host.name}, which has been on ${record.host} for ${nowMs - record.sinceMs} ms`,
      );
  }

  executed(_pod: PlacingPod, placed: Placed, { name, running }: SimulatedHost): void {
    this.executions += 1;
    if (!running.has(keyOf(placed))) throw new Violation('what is executed runs', `${keyOf(placed)} on ${name}`);
  }

  /** While nothing is wrong no server moves. */
  #follow(placed: Placed): { host: string | null; sinceMs: number } {
    const host = this.#world.recorded(placed);
    const known = this.#records.get(keyOf(placed));
    if (known !== undefined && known.host === host) return known;
    const record = { host, sinceMs: this.#world.scheduler.nowMs };
    this.#records.set(keyOf(placed), record);
    if (known?.host === undefined || known.host === null || host === null) return record;
    this.moves += 1;
    this.#world.trace.note(`${keyOf(placed)} is recorded on ${host}`);
    const rewrittenMs = this.#rewritten.get(keyOf(placed)) ?? Number.NEGATIVE_INFINITY;
    const wasRewritten = record.sinceMs - rewrittenMs <= RESTORED_MS;
    if (this.isCalm && !wasRewritten)
      throw new Violation('no server moves without a reason', `${keyOf(placed)} from ${known.host} to ${host}`);
    return record;
  }
}
