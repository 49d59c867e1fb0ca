import { setTimeout as sleep } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import { LimitId, OrganisationId } from '@patchbay/contracts';
import type { Ports } from '@patchbay/ports';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LimitRule } from '../../src/limits/compile-limits.ts';
import { call, mostInAWindow, ruleOf } from '../../src/limits/counters.fixture.ts';
import { LeaseBook, TICK_MS } from '../../src/limits/lease-book.ts';

const PODS = 3;
const REAL_TIME = {
  nowMs: () => performance.now(),
  after: (ms: number): Promise<void> => sleep(ms),
  pass: (ms: number): Promise<void> => sleep(ms),
};

/** Three pods, each with connections of its own, hold limits together on a real store. */
export function describeLimitsOn(name: string, open: () => Promise<{ pods: Ports[]; stop(): Promise<void> }>): void {
  describe(`limits on ${name}`, () => {
    let store: Awaited<ReturnType<typeof open>>;
    let books: LeaseBook[];
    let ticking: NodeJS.Timeout;

    beforeAll(async () => {
      store = await open();
      books = store.pods.map(({ counters }, index) => bookOn(counters, `pod ${index}`));
      ticking = setInterval(() => books.forEach((book) => book.tick()), TICK_MS);
    });

    afterAll(async () => {
      clearInterval(ticking);
      await Promise.all(books.map((book) => book.close()));
      await store.stop();
    });

    test('asked unevenly for twice as much, three pods admit what a limit allows and no more', { timeout: 60_000 }, async () => {
      const [windowMs, max, windows] = [2_000, 200, 5];
      const rule = fresh({ windows: [{ windowMs, max }] });
      const organisation = OrganisationId.parse(randomUUID());
      const admitted: number[] = [];
      const begunMs = performance.now();
      while (performance.now() - begunMs < windowMs * windows) {
        for (const [index, calls] of [2, 1, 0].entries()) {
          const counter = books[index]?.counter(organisation, rule.id, rule);
          for (let each = 0; each < calls && counter !== undefined; each += 1) {
            void call(counter, REAL_TIME).then((isAdmitted) => isAdmitted && admitted.push(performance.now()));
          }
        }
        await sleep(10);
      }
      const share = admitted.length / (max * windows);
      process.stdout.write(
        `limits on ${name}: ${(share * 100).toFixed(1)} % of ${max} in ${windowMs} ms, at most ${mostInAWindow(admitted, windowMs)} in one window\n`,
      );
      expect(mostInAWindow(admitted, windowMs)).toBeLessThanOrEqual(max * 1.05);
      expect(share).toBeGreaterThan(0.95);
    });

    test('of slots no more are taken than there are, and all of them', { timeout: 30_000 }, async () => {
      const rule = fresh({ concurrency: 5 });
      const organisation = OrganisationId.parse(randomUUID());
      let [running, most, done] = [0, 0, 0];
      const worker = async (book: LeaseBook): Promise<void> => {
        const untilMs = performance.now() + 2_000;
        while (performance.now() < untilMs) {
          const counter = book.counter(organisation, rule.id, rule);
          if (await call(counter, REAL_TIME)) {
            running += 1;
            most = Math.max(most, running);
            await sleep(20);
            running -= 1;
            counter.release(performance.now());
            done += 1;
          } else await sleep(10);
        }
      };
      await Promise.all(books.flatMap((book) => [worker(book), worker(book), worker(book)]));
      expect(most).toBe(5);
      expect(done).toBeGreaterThan(50);
    });

    test('one name in two organisations is two limits', async () => {
      const rule = fresh({ windows: [{ windowMs: 60_000, max: 2 }] });
      for (const organisation of [OrganisationId.parse(randomUUID()), OrganisationId.parse(randomUUID())]) {
        const seen: boolean[] = [];
        for (let each = 0; each < 3; each += 1) {
          const counter = books[0]?.counter(organisation, rule.id, rule);
          seen.push(counter !== undefined && (await call(counter, REAL_TIME)));
        }
        expect(seen).toEqual([true, true, false]);
      }
    });
  });
}

function fresh(change: Partial<LimitRule>): LimitRule {
  return ruleOf({ ...change, id: LimitId.parse(randomUUID()) });
}

function bookOn(counters: Ports['counters'], holder: string): LeaseBook {
  return new LeaseBook({ counters, clock: REAL_TIME, holder, pods: () => PODS, storeChanged: () => undefined });
}
