import { z } from 'zod';
import { type Outcomes, tally, type Totals, totals } from './outcomes.ts';

/** What is known to be missing, with the reason. Each entry must be missing: one that passes has to leave the list. */
export const Exceptions = z.array(
  z.strictObject({
    revision: z.string(),
    /** "scenario:check". */
    checks: z.array(z.string().regex(/^[^:]+:.+$/)).min(1),
    reason: z.string().min(10),
  }),
);
export type Exceptions = z.infer<typeof Exceptions>;

/** What passed direct when the fixture was last changed. */
export const Baseline = z.record(z.string(), z.strictObject({ scenarios: z.number().int(), checks: z.number().int() }));
export type Baseline = z.infer<typeof Baseline>;

export type Missing = { readonly check: string; readonly message: string; readonly reason: string | null };
export type Comparison = {
  readonly revision: string;
  readonly direct: Totals;
  readonly through: Totals;
  /** Checks that pass direct and not through us, listed or not. */
  readonly missing: readonly Missing[];
  /** Why this run does not hold; empty: it does. */
  readonly breaches: readonly string[];
};

export type Runs = { readonly revision: string; readonly direct: Outcomes; readonly through: Outcomes };

/** Holds one revision to: no fewer checks pass direct than before, and what passes direct passes through us unless it is listed. */
export function compare({ revision, direct, through }: Runs, exceptions: Exceptions, baseline: Baseline): Comparison {
  const reasons = reasonsFor(revision, exceptions);
  const missing = missingChecks(direct, through).map((each) => ({ ...each, reason: reasons.get(each.check) ?? null }));
  const isMissing = new Set(missing.map(({ check }) => check));
  return {
    revision,
    direct: totals(direct),
    through: totals(through),
    missing,
    breaches: [
      ...belowBaseline(totals(direct), baseline[revision]),
      ...missing
        .filter(({ reason }) => reason === null)
        .map(({ check, message }) => `${check} passes direct and fails through: ${message}`),
      ...[...reasons.keys()].filter((check) => !isMissing.has(check)).map((check) => `${check} is listed as missing, and is not`),
    ].map((breach) => `${revision}: ${breach}`),
  };
}

function missingChecks(direct: Outcomes, through: Outcomes): { check: string; message: string }[] {
  const after = tally(through);
  return [...tally(direct)]
    .filter(([, { passed, failed }]) => passed > 0 && failed === 0)
    .flatMap(([check, { passed }]) => {
      const now = after.get(check);
      if (now === undefined) return [{ check, message: 'it was not made' }];
      if (now.failed > 0) return [{ check, message: now.message ?? 'it failed' }];
      return now.passed < passed ? [{ check, message: `it was made ${now.passed} times, direct ${passed}` }] : [];
    });
}

function reasonsFor(revision: string, exceptions: Exceptions): ReadonlyMap<string, string> {
  const own = exceptions.filter((each) => each.revision === revision);
  return new Map(own.flatMap(({ checks, reason }) => checks.map((check) => [check, reason] as const)));
}

function belowBaseline(now: Totals, before: Totals | undefined): string[] {
  if (before === undefined) return ['the baseline does not know this revision'];
  return (['scenarios', 'checks'] as const)
    .filter((each) => now[each] < before[each])
    .map((each) => `${now[each]} ${each} pass direct, the baseline has ${before[each]}`);
}
