import type { LimitRule } from './compile-limits.ts';
import { SlotLease, type SlotStore } from './slot-lease.ts';
import { type CounterDeps, type Credit, type Verdict, WindowLease, type WindowStore } from './window-lease.ts';

/** One counter of one limit on this pod: its windows and its concurrency, taken together or not at all. */
export class LeasedCounter {
  readonly #deps: ConstructorParameters<typeof LeasedCounter>[1];
  readonly #store: WindowStore & SlotStore;
  #rule: LimitRule;
  #windows: WindowLease | null = null;
  #slots: SlotLease | null = null;
  /** What the last `take` that answered `ask` lacked. */
  #lacksSlot = false;
  #lacksPermit = false;
  #isActive = false;
  /** For the book: used since it last looked for something to drop. */
  wasUsed = true;

  /** `activated`: there is something to do at each tick from now on. */
  constructor(
    rule: LimitRule,
    deps: CounterDeps & { readonly activated: (counter: LeasedCounter) => void },
    store: WindowStore & SlotStore,
  ) {
    this.#deps = deps;
    this.#store = store;
    this.#rule = rule;
    this.#define();
  }

  get rule(): LimitRule {
    return this.#rule;
  }

  /** The limit was changed; what was counted stays counted. */
  redefine(rule: LimitRule): void {
    this.#rule = rule;
    this.#define();
  }

  /** Spends one permit of each window and takes one slot. */
  take(nowMs: number, credit: Credit): Verdict {
    this.wasUsed = true;
    if (!this.#isActive) this.#deps.activated(this);
    this.#isActive = true;
    const slots = this.#slots;
    const slot = slots === null ? 'taken' : slots.take(nowMs, credit);
    if (slot === 'refused') return slot;
    const permit = this.#windows === null ? 'taken' : this.#windows.take(nowMs, credit);
    if (slot === 'taken' && permit === 'taken') return 'taken';
    this.#lacksSlot = slot === 'ask';
    this.#lacksPermit = permit === 'ask';
    if (slot === 'taken') slots?.undo();
    else if (permit === 'taken') this.#windows?.undo();
    return permit === 'refused' ? permit : 'ask';
  }

  /** Undoes the last `take`, at the same moment. */
  undo(): void {
    this.#windows?.undo();
    this.#slots?.undo();
  }

  /** The call has ended: its slot is free. Its permits are spent. */
  release(nowMs: number): void {
    this.#slots?.release(nowMs);
  }

  /** After `ask`: resolves when it is worth trying again. What it returns must be called then. */
  wait(nowMs: number): { readonly answered: Promise<unknown>; readonly leave: () => void } {
    const slots = this.#lacksSlot ? this.#slots : null;
    const windows = this.#lacksPermit ? this.#windows : null;
    return {
      answered: Promise.all([slots?.wait(nowMs), windows?.wait(nowMs)]),
      leave() {
        slots?.leave();
        windows?.leave();
      },
    };
  }

  retryAfterMs(nowMs: number): number {
    const windowsMs = this.#windows?.retryAfterMs(nowMs) ?? 0;
    return windowsMs > 0 ? windowsMs : (this.#slots?.retryAfterMs() ?? 1);
  }

  get isInUse(): boolean {
    return this.#slots?.isInUse ?? false;
  }

  /** False: nothing is left to do until it is used again. */
  tick(nowMs: number): boolean {
    const windows = this.#windows?.tick(nowMs) ?? false;
    const slots = this.#slots?.tick(nowMs) ?? false;
    this.#isActive = windows || slots;
    return this.#isActive;
  }

  async close(): Promise<void> {
    await Promise.all([this.#windows?.close(), this.#slots?.close()]);
  }

  #define(): void {
    const { windows, concurrency } = this.#rule;
    if (windows.length === 0) {
      void this.#windows?.close();
      this.#windows = null;
    } else {
      this.#windows ??= new WindowLease(this.#deps, this.#store);
      this.#windows.define(windows, this.#deps.clock.nowMs());
    }
    if (concurrency !== null) this.#slots ??= new SlotLease(this.#deps, this.#store);
    this.#slots?.define(concurrency);
  }
}
