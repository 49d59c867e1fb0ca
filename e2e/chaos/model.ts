import type { MemberName } from '../support/scaled/layout.ts';

/** What happened in a run, as plain facts; times are milliseconds of this process' clock. The checker sees nothing else. */
export type Run = {
  readonly calls: readonly Call[];
  /** Which gateway each call was sent to by the balancer; more than once when its client sent it again. */
  readonly sent: readonly Sent[];
  /** Each time that a tool ran, as the upstream saw it. */
  readonly executions: readonly Execution[];
  readonly phases: readonly Phase[];
  readonly tokens: readonly RevokedToken[];
  /** Of the server with a limit, null when none was set. */
  readonly limit: LimitFacts | null;
};

/** The servers of the load: an HTTP one of each era, a stdio one, and an HTTP one with a limit. */
export type ServerName = 'old' | 'new' | 'notes' | 'limited';

export type Call = {
  readonly id: string;
  /** `connect`: a new connection of a client (initialise or discover). */
  readonly kind: 'tool' | 'connect';
  readonly client: string;
  readonly server: ServerName | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: Outcome;
};

export type Outcome =
  | { readonly kind: 'ok' }
  /** An answer within the limits that were set: told to come back later. */
  | { readonly kind: 'limited' }
  | { readonly kind: 'failed'; readonly reason: string };

export type Sent = { readonly call: string; readonly backend: string; readonly sentAtMs: number };
export type Execution = { readonly call: string; readonly server: ServerName; readonly atMs: number };

export type PhaseKind = 'calm' | 'kill' | 'pause' | 'link' | 'attack' | 'rolling restart';

/** One fault, from the moment it began until the platform had recovered from it. */
export type Phase = {
  readonly name: string;
  readonly kind: PhaseKind;
  /** Whose calls in flight may fail. */
  readonly victims: readonly MemberName[];
  /** The server whose processes a victim holds: its calls in flight are in flight on the victim. */
  readonly servers: readonly ServerName[];
  readonly beganAtMs: number;
  /** A call that was sent to a victim until then may have been lost with it: its death, or the end of its standstill. */
  readonly lostUntilMs: number;
  /** The killed one was started again, the paused one goes on, the link stands. */
  readonly mendedAtMs: number;
  /** Everything was ready and every change was in force on every gateway; null: not within the time. */
  readonly recoveredAtMs: number | null;
  /** What was still missing when the time was over. */
  readonly missing: readonly string[];
  /** Changes that the API answered; those that it did not (their outcome is open); revocations that it called in force everywhere. */
  readonly changes: { readonly answered: number; readonly confirmed: number; readonly failed: number };
  /** By how much more than its maximum the limit may let through in any window. */
  readonly limitFactor: number;
  readonly endedAtMs: number;
};

/** A token that the API revoked, and every time that a gateway took or refused it afterwards. */
export type RevokedToken = {
  readonly id: string;
  readonly revokedAtMs: number;
  /** Each gateway that refused it, or by the API's word does, and when we knew: from then on it must be refused there. */
  readonly confirmed: Readonly<Record<string, number>>;
  readonly accepted: readonly { readonly gateway: string; readonly askedAtMs: number }[];
};

export type LimitFacts = { readonly windowMs: number; readonly max: number };
