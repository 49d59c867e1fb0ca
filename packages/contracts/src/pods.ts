import { z } from 'zod';
import { OrganisationId, Revision } from './ids.ts';

/** What pods report on, and how often. Both sides reckon with these. */
export const PODS = {
  /** The purpose under which the key of pod messages is derived from the gateway secret. */
  keyPurpose: 'pod reports',
  heartbeatEveryMs: 2_000,
  /** A pod that was not heard for this long has no lease. */
  leaseMs: 6_000,
  /** Every pod compares with a control plane, and reports to it, this often. */
  compareEveryMs: 10_000,
  /** What the bus carried for longer is not taken. */
  messageAgeMaxMs: 10_000,
  /** Keeps a message, its authenticator included, under the bus's 7,900 bytes. */
  positionsMax: 110,
} as const;

/** One pod: a random id of each start of a gateway. */
export const PodId = z.uuid().brand<'PodId'>();
export type PodId = z.infer<typeof PodId>;

/** `not-ready`: it refuses calls. `draining`: it ends the calls under way. `leaving`: it ends; no message comes after. */
export const PodState = z.enum(['ready', 'not-ready', 'draining', 'leaving']);
export type PodState = z.infer<typeof PodState>;

/**
 * What a pod says of itself, to control planes alone: on the bus's topic `pods` and to the internal listener, authenticated
 * under a key derived from the gateway secret. Each message has a higher `sequence` than the one before, whichever way it went.
 */
export const PodReport = z.object({
  format: z.literal(1),
  podId: PodId,
  startedAtMs: z.number().int(),
  sequence: z.number().int().positive(),
  /** By the pod's wall clock. */
  sentAtMs: z.number().int(),
  state: PodState,
  /** After how long without word of a control plane it refuses by itself. */
  stalenessBudgetMs: z.number().int().positive(),
  /** How long before this message it asked for every organisation's position, and was told; null when it never was. */
  comparedMsAgo: z.number().int().nonnegative().nullable(),
  /** Messages of one complete report share the sequence of the first; null: an acknowledgement, which says nothing of what it leaves out. */
  report: z.object({ first: z.number().int().positive(), count: z.number().int().positive() }).nullable(),
  /**
   * Organisation, epoch, revision, and 1 when it is loaded at that position (or being loaded, at 0.0), 0 when it is not but will
   * not be loaded below it.
   */
  positions: z.array(z.tuple([OrganisationId, z.number().int().nonnegative(), Revision, z.union([z.literal(0), z.literal(1)])])),
});
export type PodReport = z.infer<typeof PodReport>;

/** Body of a report to the internal listener: the same messages as on the bus. */
export const PodMessages = z.strictObject({ messages: z.array(z.string().max(7_900)).min(1).max(7) });
export type PodMessages = z.infer<typeof PodMessages>;

export const RolloutPod = z.object({
  id: PodId,
  /** The revision it enforces, or below which it will not load the organisation; null when it said neither. */
  revision: Revision.nullable(),
  /** How long it has been known to be behind the revision asked for; 0 when it is not. */
  lagMs: z.number().int().nonnegative(),
  lastHeardAt: z.iso.datetime(),
  state: z.enum(['acknowledged', 'behind', 'not-heard-from']),
});
export type RolloutPod = z.infer<typeof RolloutPod>;

/** How far a revision has come. */
export const Rollout = z.object({
  /** The revision this is about. */
  revision: Revision,
  /** The organisation's newest. */
  newest: Revision,
  /**
   * Since when every pod enforces the revision or a later one; null while one does not, one was not heard from and may still serve, or this
   * control plane has not listened long enough to know who is there.
   */
  confirmedAt: z.iso.datetime().nullable(),
  /** Why `confirmedAt` is null; null when it is not. */
  waitingFor: z.enum(['pods', 'pods-not-heard-from', 'knowing-who-is-there']).nullable(),
  pods: z.array(RolloutPod),
  /** Pods without a lease that may still serve, by id. */
  notHeardFrom: z.array(PodId),
  /** When the last of those refuses by itself, unless it is heard from before; null when there is none. */
  guaranteedBy: z.iso.datetime().nullable(),
});
export type Rollout = z.infer<typeof Rollout>;

export const RolloutQuery = z.strictObject({
  /** Left away: the newest. */
  revision: z.coerce.number().int().nonnegative().optional(),
});
export type RolloutQuery = z.infer<typeof RolloutQuery>;
