import type { Random } from './random.ts';
import { WORLD, type Owner, type Scheduler } from './scheduler.ts';

/** `refused`: connections fail at once. `silent`: nothing ever comes back. */
export type Link = { state: 'up' | 'refused' | 'silent'; slowMs: number; lossChance: number };

/** Who may be asked: its process, when it has one and it lives. */
export type Place = { readonly name: string; process: Owner | null };

/** Carries requests between places, late, twice or not at all, as the links between them stand. */
export class Network {
  readonly #links = new Map<string, Link>();
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  /** How likely a way takes long, on any link. */
  tailChance = 0.02;
  /** Told of every answer that arrived. */
  answered: (asker: string, asked: string) => void = () => undefined;

  constructor(random: Random, scheduler: Scheduler) {
    this.#random = random;
    this.#scheduler = scheduler;
  }

  link(a: string, b: string): Link {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    const link = this.#links.get(key) ?? { state: 'up', slowMs: 0, lossChance: 0 };
    this.#links.set(key, link);
    return link;
  }

  heal(): void {
    for (const link of this.#links.values()) Object.assign(link, { state: 'up', slowMs: 0, lossChance: 0 });
  }

  /** How long one way takes now. Some take long: an answer that was right when it left. */
  delayMs(link: Link): number {
    const tail = this.#random.chance(this.tailChance) ? this.#random.between(0, 1_500) : 0;
    return this.#random.between(0.1, 3) + tail + (link.slowMs === 0 ? 0 : this.#random.between(0, link.slowMs));
  }

  /** Asks `to`; rejects when it cannot be reached, is dead, or after `timeoutMs`. What was asked may have happened all the same. */
  request<T>(from: string, to: Place, { timeoutMs, work }: { timeoutMs: number; work: () => T | Promise<T> }): Promise<T> {
    const link = this.link(from, to.name);
    const asker = this.#scheduler.current();
    return new Promise((resolve, reject) => {
      const timer = this.#scheduler.plan(timeoutMs, () => reject(new Error(`${to.name}: no answer`)));
      const end = (settle: () => void): void => {
        timer.cancelled = true;
        settle();
      };
      const refuse = (): void => void this.#scheduler.plan(0.2, () => end(() => reject(new Error(`${to.name}: refused`))), asker);
      const lost = (): boolean => link.state === 'silent' || this.#random.chance(link.lossChance);
      const back = (settle: () => void): void => {
        if (link.state !== 'up' || lost()) return;
        const arrive = (): void => {
          this.answered(from, to.name);
          end(settle);
        };
        this.#scheduler.plan(this.delayMs(link), arrive, asker);
      };
      const ask = (): void => {
        const { process } = to;
        if (process?.alive !== true) return refuse();
        const asked = this.#scheduler.as(process, async () => work());
        asked.then(
          (value) => back(() => resolve(value)),
          (error: unknown) => back(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      };
      if (link.state === 'refused') return refuse();
      // Under way it belongs to nobody: it arrives also when the asker is killed meanwhile.
      if (!lost()) this.#scheduler.plan(this.delayMs(link), ask, WORLD);
    });
  }
}
