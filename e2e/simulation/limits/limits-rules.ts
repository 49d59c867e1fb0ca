import type { Principal } from '@patchbay/contracts';
import { Violation } from '../trace.ts';
import { Ledger, type Entry } from './ledger.ts';
import { counterOf, type Limit, type LimitedServer } from './limited.ts';
import { podsOf, type Decision, type LimitedPod, type Life } from './limited-pod.ts';
import type { LimitsWorld } from './limits-world.ts';

/** A call waits for the store at most this long. */
const WAIT_MS = 150;
/** Slots of whoever does not renew them are anybody's after ten seconds, and calls of ours end after four. */
const SLOTS_LOST_MS = 20_000;

/** For how long a permit may be spent after it was charged: a twentieth of the shortest window, 0.1 to 2 s. */
function heldMs({ windows }: Limit): number {
  return Math.min(Math.max(0.05 * Math.min(...windows.map(({ windowMs }) => windowMs)), 100), 2_000);
}

/** The rules of docs/limits.md, checked at every decision. */
export class LimitRules {
  readonly #world: LimitsWorld;
  readonly #ledgers = new Map<string, Ledger>();
  /** When the store last forgot what it had counted: it lost its data, or its clock was set forward. */
  readonly #forgot: number[] = [];
  /** When a process last had trouble with the store. */
  readonly #troubled = new Map<string, number>();
  #liedAtMs = Number.NEGATIVE_INFINITY;
  /** From when on nothing has gone wrong. */
  calmSinceMs = Number.POSITIVE_INFINITY;
  calls = 0;
  admitted = 0;

  constructor(world: LimitsWorld) {
    this.#world = world;
  }

  ledger(limit: Limit, principal: Principal): Ledger {
    const name = counterOf(limit, principal);
    const known = this.#ledgers.get(name) ?? new Ledger(Math.max(0, ...limit.windows.map(({ windowMs }) => windowMs)));
    this.#ledgers.set(name, known);
    return known;
  }

  /** The store counts from zero. */
  forgot(): void {
    this.#forgot.push(this.#world.scheduler.nowMs);
    for (const { name } of this.#world.pods) this.troubled(name);
  }

  /** This pod may not reach the store. */
  troubled(name: string): void {
    this.#troubled.set(name, this.#world.scheduler.nowMs);
  }

  /** Nothing but what each gateway counts itself holds then. */
  lied(): void {
    this.#liedAtMs = this.#world.scheduler.nowMs;
    this.forgot();
  }

  ended(life: Life): void {
    for (const ledger of this.#ledgers.values()) ledger.atWork.delete(life);
  }

  said({ name }: LimitedPod, life: Life, said: Life['said']): void {
    this.#world.trace.note(`${name} says that the store is ${said}`);
    if (life.said === said) this.#broken('one line when it begins and one when it ends', `${name} said twice that the store is ${said}`);
    life.said = said;
    this.troubled(name);
  }

  decided(pod: LimitedPod, { life, outcome, saidAway, waitedMs }: Decision, server: LimitedServer, principal: Principal): void {
    this.calls += 1;
    const { nowMs } = this.#world.scheduler;
    if (waitedMs > WAIT_MS + 1) this.#broken('no call waits for the store for longer than 150 ms', `${pod.name}: ${waitedMs} ms`);
    if ('code' in outcome) return this.#refused(pod, outcome.data ?? {}, { server, saidAway });
    this.admitted += 1;
    const entry: Entry = { atMs: nowMs, begunMs: nowMs - waitedMs, life, isSure: !saidAway && waitedMs < WAIT_MS - 1 };
    // Without a permit: it was not the store that counted.
    if (!entry.isSure) this.troubled(pod.name);
    for (const limit of server.limits.filter(({ mode }) => mode === 'enforce')) {
      const ledger = this.ledger(limit, principal);
      ledger.add(entry);
      this.#windows(pod, limit, ledger, { entry, saidAway });
      if (limit.concurrency !== null) this.#concurrency(pod, { limit, most: limit.concurrency }, ledger, entry);
    }
  }

  #refused(
    { name }: LimitedPod,
    data: Readonly<Record<string, unknown>>,
    { server, saidAway }: { server: LimitedServer; saidAway: boolean },
  ): void {
    const limit = server.limits.find(({ id }) => id === data['rule']);
    if (limit?.mode !== 'enforce') this.#broken('a limit that audits refuses nothing', `${name}: refused by ${String(data['rule'])}`);
    if (data['counted'] !== (saidAway ? 'pod' : 'fleet'))
      this.#broken('a refusal says who counted', `${name}: ${String(data['counted'])} while its gauge says ${saidAway ? 'away' : 'back'}`);
    const longest = Math.max(1_000, ...(limit?.windows.map(({ windowMs }) => windowMs) ?? []));
    const retryAfterMs = Number(data['retryAfterMs']);
    if (!(retryAfterMs >= 1 && retryAfterMs <= 2 * longest))
      this.#broken('a refusal says when to come again', `${name}: after ${retryAfterMs} ms, where a window lasts ${longest} ms`);
  }

  #windows({ name }: LimitedPod, limit: Limit, ledger: Ledger, { entry, saidAway }: { entry: Entry; saidAway: boolean }): void {
    const { atMs, life } = entry;
    for (const { windowMs, max } of limit.windows) {
      const what = (count: number, of: number): string => `${limit.id}: ${count} in ${windowMs} ms at ${name}, where ${of} may be`;
      const alone = ledger.after(atMs - windowMs, (each) => each.life === life);
      if (alone > max) this.#broken('a gateway alone never admits more than the maximum', what(alone, max));
      const share = Math.max(1, Math.floor(max / Math.max(1, podsOf(life))));
      if (saidAway && alone > share) this.#broken('without the store a gateway admits its share', what(alone, share));
      // A permit is spent soon after it was charged, and no window holds more permits than the maximum.
      const permits = ledger.after(atMs - (windowMs - heldMs(limit)), ({ isSure }) => isSure);
      const most = max * (1 + this.#forgot.filter((forgotMs) => forgotMs > atMs - 2 * windowMs).length);
      if (permits > most && !this.#world.store.lies && this.#liedAtMs < atMs - 2 * windowMs)
        this.#broken('no more permits are spent than there are', what(permits, most));
      if (atMs - windowMs < this.calmSinceMs) continue;
      const all = ledger.after(atMs - windowMs, () => true);
      const ahead = this.#world.pods.length * Math.max(1, Math.floor(max / 100));
      const waited = ledger.after(atMs - windowMs, ({ begunMs }) => begunMs <= atMs - windowMs);
      if (all > max + ahead + waited)
        this.#broken('no window sees more than the maximum and what gateways held', what(all, max + ahead + waited));
    }
  }

  /** Calls at work of pods that have had no trouble with the store lately never add up to more. */
  #concurrency({ name }: LimitedPod, { limit, most }: { limit: Limit; most: number }, ledger: Ledger, { atMs, life, isSure }: Entry): void {
    ledger.work(life, 1);
    const alone = ledger.atWork.get(life) ?? 0;
    if (alone > most)
      this.#broken('a gateway alone never has more calls at work than the limit', `${limit.id}: ${alone} of ${most} at ${name}`);
    if (!isSure || this.#world.store.lies) return;
    let sum = 0;
    for (const [each, count] of ledger.atWork)
      if (atMs - (this.#troubled.get(each.owner.name) ?? Number.NEGATIVE_INFINITY) > SLOTS_LOST_MS) sum += count;
    if (sum > most) this.#broken('no more calls are at work than the limit', `${limit.id}: ${sum} of ${most}, the last of them at ${name}`);
  }

  #broken(rule: string, what: string): never {
    throw new Violation(rule, what);
  }
}
