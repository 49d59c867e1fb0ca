import type { Counters } from '@patchbay/ports';
import type { LimitsMutation } from './limits-world.ts';

const broken = (change: (of: Counters) => Partial<Counters>): LimitsMutation => ({
  counters: (of) => ({ take: of.take, giveBack: of.giveBack, hold: of.hold, ...change(of) }),
});

/** Each pod has permits of its own. */
export const permitsForEach: LimitsMutation = broken((of) => {
  const holder = Math.random().toString();
  return { take: (id, counter, request) => of.take(id, `${counter} ${holder}`, request) };
});

/** Grants no more than half of what there is. */
export const grantsHalf: LimitsMutation = broken((of) => ({
  take: (id, counter, { wanted, windows }) =>
    of.take(id, counter, { wanted, windows: windows.map(({ windowMs, max }) => ({ windowMs, max: Math.ceil(max / 2) })) }),
}));

/** Pods that are told windows of twice what they are. */
export const doublesWindows: LimitsMutation = {
  counters: (of) => of,
  limits: (limit) => ({ ...limit, windows: limit.windows.map(({ windowMs, max }) => ({ windowMs, max: 2 * max })) }),
};

/** Pods that are told twice the concurrency. */
export const doublesSlots: LimitsMutation = {
  counters: (of) => of,
  limits: (limit) => ({ ...limit, concurrency: limit.concurrency === null ? null : 2 * limit.concurrency }),
};

/** Every pod may have all slots. */
export const slotsForEach: LimitsMutation = broken((of) => ({
  hold: (id, counter, request) =>
    counter === 'pods' ? of.hold(id, counter, request) : of.hold(id, `${counter} ${request.holder}`, request),
}));

/** Slots of whoever does not renew them stay taken for long. */
export const slotsForLong: LimitsMutation = broken((of) => ({
  hold: (id, counter, request) => of.hold(id, counter, counter === 'pods' ? request : { ...request, ttlMs: 10 * request.ttlMs }),
}));

/** Every pod takes itself to be alone. */
export const countsNobody: LimitsMutation = broken((of) => ({
  hold: async (id, counter, request) => ({ ...(await of.hold(id, counter, request)), ...(counter === 'pods' ? { inUse: 1 } : {}) }),
}));

/** What was admitted without the store is never charged to it. */
export const forgivesDebts: LimitsMutation = broken((of) => {
  let failed = false;
  return {
    take: async (id, counter, request) => {
      const lease = await of.take(id, counter, { ...request, wanted: failed ? 0 : request.wanted }).catch((error: unknown) => {
        failed = true;
        throw error;
      });
      if (!failed) return lease;
      failed = false;
      return { ...lease, granted: request.wanted };
    },
  };
});

/** Permits that were not needed stay charged. */
export const keepsUnspent: LimitsMutation = broken(() => ({ giveBack: async () => undefined }));
