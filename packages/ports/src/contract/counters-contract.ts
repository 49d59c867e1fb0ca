import { setTimeout as sleep } from 'node:timers/promises';
import type { OrganisationId } from '@patchbay/contracts';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Counters } from '../counters.ts';
import { freshId, type Make } from './make.ts';
import { WindowModel } from './window-model.ts';

const MINUTE = 60_000;
const windows = [{ windowMs: MINUTE, max: 10 }];

/** What every store of counters promises. Both sides are pods. */
export function describeCountersContract(name: string, make: Make<Counters>): void {
  describe(`counters on ${name}`, () => {
    test('as many permits as are left, and when there are more', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      expect(await writer.take(organisation, 'c', { windows, wanted: 7 })).toMatchObject({ granted: 7, retryAfterMs: 0 });
      const rest = await reader.take(organisation, 'c', { windows, wanted: 7 });
      expect(rest.granted).toBe(3);
      const none = await writer.take(organisation, 'c', { windows, wanted: 1 });
      expect(none.granted).toBe(0);
      for (const { retryAfterMs } of [rest, none]) {
        expect(retryAfterMs).toBeGreaterThan(MINUTE * 0.97);
        expect(retryAfterMs).toBeLessThanOrEqual(MINUTE * 1.02);
      }
    });

    test('a permit is charged at the time of the store, which is about ours here', async () => {
      const { writer } = await make();
      const { chargedAtMs } = await writer.take(freshId(), 'c', { windows, wanted: 1 });
      expect(Math.abs(chargedAtMs - Date.now())).toBeLessThan(2_000);
    });

    test('of many takers at one time no more get a permit than there are', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const request = { windows: [{ windowMs: MINUTE, max: 37 }], wanted: 3 };
      const leases = await Promise.all(Array.from({ length: 40 }, (_, k) => (k % 2 ? writer : reader).take(organisation, 'c', request)));
      expect(leases.reduce((sum, { granted }) => sum + granted, 0)).toBe(37);
      expect(leases.filter(({ granted }) => granted > 0)).toHaveLength(13);
    });

    test('never more than the maximum in any window, whoever takes and however hard', { timeout: 30_000 }, async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const window = { windowMs: 400, max: 30 };
      const taken: { atMs: number; permits: number }[] = [];
      const until = performance.now() + 2_000;
      const hammer = async (counters: Counters): Promise<void> => {
        while (performance.now() < until) {
          const { granted, chargedAtMs } = await counters.take(organisation, 'c', { windows: [window], wanted: 4 });
          if (granted > 0) taken.push({ atMs: chargedAtMs, permits: granted });
          await sleep(1);
        }
      };
      await Promise.all([writer, reader, writer, reader].map(hammer));
      for (const { atMs: endMs } of taken) {
        const inside = taken.filter(({ atMs }) => atMs > endMs - window.windowMs && atMs <= endMs);
        expect(inside.reduce((sum, { permits }) => sum + permits, 0)).toBeLessThanOrEqual(window.max);
      }
      // Not for want of takers: the first window alone gives 30.
      expect(taken.reduce((sum, { permits }) => sum + permits, 0)).toBeGreaterThan(window.max * 2);
    });

    test('several windows: none is charged what another refuses', async () => {
      const { writer } = await make();
      const organisation = freshId<OrganisationId>();
      const both = [
        { windowMs: MINUTE, max: 5 },
        { windowMs: 60 * MINUTE, max: 8 },
      ];
      expect((await writer.take(organisation, 'c', { windows: both, wanted: 9 })).granted).toBe(5);
      expect((await writer.take(organisation, 'c', { windows: both, wanted: 9 })).granted).toBe(0);
      const hour = await writer.take(organisation, 'c', { windows: both.slice(1), wanted: 9 });
      expect(hour.granted).toBe(3);
      // The hour is the one to wait for.
      expect((await writer.take(organisation, 'c', { windows: both, wanted: 1 })).retryAfterMs).toBeGreaterThan(50 * MINUTE);
    });

    test('two windows of one length are one counter with the lower maximum, and no window is no limit', async () => {
      const { writer } = await make();
      const organisation = freshId<OrganisationId>();
      const twice = [...windows, { windowMs: MINUTE, max: 4 }];
      expect((await writer.take(organisation, 'c', { windows: twice, wanted: 9 })).granted).toBe(4);
      expect((await writer.take(organisation, 'c', { windows, wanted: 9 })).granted).toBe(6);
      expect(await writer.take(organisation, 'c', { windows: [], wanted: 9 })).toMatchObject({ granted: 9, retryAfterMs: 0 });
    });

    test('a maximum of nothing grants nothing, and one that was lowered grants again only below it', async () => {
      const { writer } = await make();
      const organisation = freshId<OrganisationId>();
      const none = await writer.take(organisation, 'none', { windows: [{ windowMs: MINUTE, max: 0 }], wanted: 1 });
      expect(none).toMatchObject({ granted: 0, retryAfterMs: MINUTE });
      await writer.take(organisation, 'c', { windows, wanted: 10 });
      const lowered = await writer.take(organisation, 'c', { windows: [{ windowMs: MINUTE, max: 2 }], wanted: 1 });
      expect(lowered.granted).toBe(0);
      expect(lowered.retryAfterMs).toBeGreaterThan(0);
    });

    test('what is given back can be taken again, once, and never more than was charged', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const { chargedAtMs } = await writer.take(organisation, 'c', { windows, wanted: 10 });
      await reader.giveBack(organisation, 'c', { windows, permits: 4, chargedAtMs });
      expect((await reader.take(organisation, 'c', { windows, wanted: 10 })).granted).toBe(4);
      await reader.giveBack(organisation, 'c', { windows, permits: 1_000, chargedAtMs });
      await reader.giveBack(organisation, 'c', { windows, permits: 1_000, chargedAtMs });
      expect((await reader.take(organisation, 'c', { windows, wanted: 1_000 })).granted).toBeLessThanOrEqual(10);
    });

    test('what was charged in a slice that has left the count gives nothing back', async () => {
      const { writer } = await make();
      const organisation = freshId<OrganisationId>();
      await writer.take(organisation, 'c', { windows, wanted: 10 });
      await writer.giveBack(organisation, 'c', { windows, permits: 10, chargedAtMs: Date.now() - 2 * MINUTE });
      expect((await writer.take(organisation, 'c', { windows, wanted: 1 })).granted).toBe(0);
    });

    test('permits come back as their slices leave', async () => {
      const { writer } = await make();
      const organisation = freshId<OrganisationId>();
      const short = [{ windowMs: 200, max: 3 }];
      await writer.take(organisation, 'c', { windows: short, wanted: 3 });
      const { retryAfterMs } = await writer.take(organisation, 'c', { windows: short, wanted: 1 });
      expect(retryAfterMs).toBeGreaterThan(0);
      await sleep(retryAfterMs + 5);
      expect((await writer.take(organisation, 'c', { windows: short, wanted: 3 })).granted).toBe(3);
    });

    test('any run of calls answers what the arithmetic says', { timeout: 60_000 }, async () => {
      const { writer } = await make();
      const window = fc.record({ windowMs: fc.integer({ min: 30, max: 400 }), max: fc.integer({ min: 0, max: 12 }) });
      const step = fc.record({ waitMs: fc.integer({ min: 0, max: 30 }), wanted: fc.integer({ min: 0, max: 6 }), unspent: fc.nat(6) });
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(window, { minLength: 1, maxLength: 3, selector: ({ windowMs }) => windowMs }),
          fc.array(step, { minLength: 1, maxLength: 25 }),
          async (some, steps) => {
            const organisation = freshId<OrganisationId>();
            const model = new WindowModel(some);
            for (const { waitMs, wanted, unspent } of steps) {
              if (waitMs > 3) await sleep(waitMs);
              const lease = await writer.take(organisation, 'c', { windows: some, wanted });
              expect(lease).toEqual(model.take(wanted, lease.chargedAtMs));
              const permits = Math.min(unspent, lease.granted);
              await writer.giveBack(organisation, 'c', { windows: some, permits, chargedAtMs: lease.chargedAtMs });
              model.giveBack(permits, lease.chargedAtMs);
            }
          },
        ),
        { numRuns: 15 },
      );
    });

    test('one name in two organisations is two counters, and two names are two', async () => {
      const { writer } = await make();
      const [ours, theirs] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
      await writer.take(ours, 'c', { windows, wanted: 10 });
      expect((await writer.take(theirs, 'c', { windows, wanted: 10 })).granted).toBe(10);
      expect((await writer.take(ours, 'd', { windows, wanted: 10 })).granted).toBe(10);
      await writer.hold(ours, 'c', { holder: 'pod', max: 3, wanted: 3, ttlMs: MINUTE });
      expect((await writer.hold(theirs, 'c', { holder: 'another', max: 3, wanted: 3, ttlMs: MINUTE })).held).toBe(3);
    });

    test('slots go to who asks first, up to what the others leave, and come back when fewer are wanted', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const hold = (counters: Counters, holder: string, wanted: number, max = 5) =>
        counters.hold(organisation, 'c', { holder, max, wanted, ttlMs: MINUTE });
      expect(await hold(writer, 'one', 3)).toEqual({ held: 3, inUse: 3 });
      expect(await hold(reader, 'two', 4)).toEqual({ held: 2, inUse: 5 });
      expect(await hold(writer, 'one', 4)).toEqual({ held: 3, inUse: 5 });
      expect(await hold(writer, 'one', 1)).toEqual({ held: 1, inUse: 3 });
      expect(await hold(reader, 'two', 9)).toEqual({ held: 4, inUse: 5 });
      expect(await hold(reader, 'two', 9, 2)).toEqual({ held: 1, inUse: 2 });
      expect(await hold(reader, 'two', 0)).toEqual({ held: 0, inUse: 1 });
      expect(await hold(writer, 'three', 9, 0)).toEqual({ held: 0, inUse: 1 });
    });

    test('of many holders at one time no more get slots than there are', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const held = await Promise.all(
        Array.from({ length: 30 }, (_, k) =>
          (k % 2 ? writer : reader).hold(organisation, 'c', { holder: `pod ${k}`, max: 17, wanted: 2, ttlMs: MINUTE }),
        ),
      );
      expect(held.reduce((sum, slots) => sum + slots.held, 0)).toBe(17);
    });

    test('slots of a holder that does not ask again are anybody’s after their life', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const hold = (holder: string, ttlMs: number) => reader.hold(organisation, 'c', { holder, max: 2, wanted: 2, ttlMs });
      await writer.hold(organisation, 'c', { holder: 'dead', max: 2, wanted: 2, ttlMs: 150 });
      expect((await hold('next', MINUTE)).held).toBe(0);
      await vi.waitFor(async () => expect((await hold('next', MINUTE)).held).toBe(2), 2_000);
      expect((await hold('late', MINUTE)).held).toBe(0);
    });
  });
}
