import type { Call, Execution, LimitFacts, Phase, RevokedToken, Run, Sent } from './model.ts';

/** One line of the table. */
export type Row = {
  readonly name: string;
  readonly calls: number;
  readonly limited: number;
  /** Failed in flight on a victim, which is allowed; by reason. */
  readonly failedOnVictim: ReadonlyMap<string, number>;
  /** Failed anywhere else, which is a breach; by reason. */
  readonly failedElsewhere: ReadonlyMap<string, number>;
  readonly ranTwice: number;
  readonly changes: Phase['changes'];
  readonly revokedAccepted: number;
  /** The fullest window's share of what the limit allows; null: nothing was counted. */
  readonly limitPeak: number | null;
  /** From the end of the fault until everything was ready and in force everywhere; null: it never was. */
  readonly recoveryMs: number | null;
};

export type Verdict = { readonly rows: readonly Row[]; readonly breaches: readonly string[] };

/** What may lie between a process' death and our seeing that a connection to it had been made before. */
const SEEN_LATE_MS = 150;

/** Holds a run to what is promised. Pure: the same facts give the same verdict. */
export function check(run: Run): Verdict {
  const breaches: string[] = [];
  const sent = Map.groupBy(run.sent, ({ call }) => call);
  const runs = Map.groupBy(run.executions, ({ call }) => call);
  const rows = run.phases.map((phase, index) => {
    const until = run.phases[index + 1]?.beganAtMs ?? Number.POSITIVE_INFINITY;
    const from = index === 0 ? Number.NEGATIVE_INFINITY : phase.beganAtMs;
    const isIn = (atMs: number): boolean => atMs >= from && atMs < until;
    const say = (what: string): void => void breaches.push(`${phase.name}: ${what}`);
    const calls = run.calls.filter((call) => isIn(call.endedAtMs));
    const failures = sortFailures(calls, { phase, phases: run.phases, sentOf: sent }, say);
    const twice = [...runs.values()].filter((times) => times.length > 1 && isIn(times.at(-1)!.atMs));
    for (const times of twice) say(`the call ${times[0]!.call} ran ${times.length} times on ${times[0]!.server}`);
    for (const call of calls.filter((each) => wasAnsweredWithoutRunning(each, runs))) say(`the call ${call.id} was answered and never ran`);
    const accepted = revokedAccepted(run.tokens, isIn);
    for (const { gateway, id } of accepted) say(`${gateway} took the revoked token ${id} after the revocation was in force there`);
    if (phase.recoveredAtMs === null) say(`did not recover: ${phase.missing.join('; ')}`);
    if (calls.length === 0) say('no call was made, so it proves nothing');
    return {
      name: phase.name,
      calls: calls.length,
      limited: calls.filter(({ outcome }) => outcome.kind === 'limited').length,
      ...failures,
      ranTwice: twice.length,
      changes: phase.changes,
      revokedAccepted: accepted.length,
      limitPeak: checkLimit(run, isIn, say),
      recoveryMs: phase.recoveredAtMs === null ? null : Math.max(0, phase.recoveredAtMs - phase.mendedAtMs),
    };
  });
  if (!run.phases.some(({ changes }) => changes.answered > 0)) breaches.push('no change was made, so nothing is known about changes');
  if (!run.phases.some(({ changes }) => changes.confirmed > 0)) breaches.push('no revocation was ever called in force everywhere');
  return { rows, breaches };
}

type Failures = Pick<Row, 'failedOnVictim' | 'failedElsewhere'>;

function sortFailures(
  calls: readonly Call[],
  { phase, phases, sentOf }: { phase: Phase; phases: readonly Phase[]; sentOf: ReadonlyMap<string, readonly Sent[]> },
  say: (what: string) => void,
): Failures {
  const failedOnVictim = new Map<string, number>();
  const failedElsewhere = new Map<string, number>();
  for (const call of calls) {
    if (call.outcome.kind !== 'failed') continue;
    const { reason } = call.outcome;
    const sent = sentOf.get(call.id) ?? [];
    const counts = phases.some((each) => wasInFlightOnVictim(call, sent, each)) ? failedOnVictim : failedElsewhere;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    if (counts === failedElsewhere)
      say(`${nameOf(call)}, ${sentTo(sent, phase)}, failed after ${call.endedAtMs - call.startedAtMs} ms: ${reason}`);
  }
  return { failedOnVictim, failedElsewhere };
}

function nameOf({ client, id, kind, server }: Call): string {
  return `the ${kind} ${id} of ${client} to ${server ?? 'all'}`;
}

function sentTo(sent: readonly Sent[], { beganAtMs }: Phase): string {
  return sent.map((each) => `sent to ${each.backend} ${each.sentAtMs - beganAtMs} ms into it`).join(', ') || 'sent to nobody';
}

/** On a process that was killed: what it had when it died. On one that stood still, or behind a cut link: what it had meanwhile. */
function wasInFlightOnVictim(call: Call, sent: readonly Sent[], { beganAtMs, lostUntilMs, servers, victims }: Phase): boolean {
  const lastMs = lostUntilMs + SEEN_LATE_MS;
  const wasThere = (sinceMs: number): boolean => sinceMs <= lastMs && call.endedAtMs >= beganAtMs;
  if (sent.some(({ backend, sentAtMs }) => victims.some((victim) => victim === backend) && wasThere(sentAtMs))) return true;
  return call.server !== null && servers.includes(call.server) && wasThere(call.startedAtMs);
}

function wasAnsweredWithoutRunning(call: Call, runs: ReadonlyMap<string, readonly Execution[]>): boolean {
  return call.kind === 'tool' && call.outcome.kind === 'ok' && !runs.has(call.id);
}

function revokedAccepted(tokens: readonly RevokedToken[], isIn: (atMs: number) => boolean): { id: string; gateway: string }[] {
  return tokens.flatMap(({ accepted, confirmed, id }) =>
    accepted
      .filter(({ askedAtMs, gateway }) => isIn(askedAtMs) && askedAtMs >= (confirmed[gateway] ?? Number.POSITIVE_INFINITY))
      .map(({ gateway }) => ({ id, gateway })),
  );
}

/** The fullest window that ended in the phase. A window may reach back into phases that allowed more. */
function checkLimit({ executions, limit, phases }: Run, isIn: (atMs: number) => boolean, say: (what: string) => void): number | null {
  if (limit === null) return null;
  const times = executions
    .filter(({ server }) => server === 'limited')
    .map(({ atMs }) => atMs)
    .sort((a, b) => a - b);
  let peak = 0;
  for (const [last, endMs] of times.entries()) {
    if (!isIn(endMs)) continue;
    const count = last + 1 - firstAfter(times, endMs - limit.windowMs);
    peak = Math.max(peak, count);
    const factor = factorAt(phases, endMs - limit.windowMs, endMs);
    if (count > allowed(limit, factor)) {
      say(`the limit of ${limit.max} in ${limit.windowMs} ms let ${count} through (${allowed(limit, factor)} may be)`);
      break;
    }
  }
  return peak === 0 ? null : peak / limit.max;
}

function firstAfter(times: readonly number[], atMs: number): number {
  const found = times.findIndex((time) => time > atMs);
  return found === -1 ? times.length : found;
}

function factorAt(phases: readonly Phase[], fromMs: number, untilMs: number): number {
  const touched = phases.filter(({ beganAtMs, endedAtMs }) => beganAtMs <= untilMs && endedAtMs >= fromMs);
  return Math.max(1, ...touched.map(({ limitFactor }) => limitFactor));
}

/** One more than the share: a window of ours and one of the store's do not begin at the same moment. */
function allowed({ max }: LimitFacts, factor: number): number {
  return Math.floor(max * factor) + 1;
}
