import { z } from 'zod';
import type { Form } from './forms.ts';
import { type Outcomes, tally, type Totals, totals } from './outcomes.ts';

/** What the gateway has behind it: a server for both eras, or one that knows nothing of the other. */
export const UPSTREAMS = ['both', 'legacy', 'modern'] as const;
export type Upstream = (typeof UPSTREAMS)[number];

/** What is known to be missing, with the reason. Each entry must be missing in each of its cells: one that passes has to leave the list. */
export const Exceptions = z.array(
  z.strictObject({
    revisions: z.array(z.string()).min(1),
    upstreams: z.array(z.enum(UPSTREAMS)).min(1),
    reason: z.string().min(10),
    /** "scenario:check". */
    checks: z.array(z.string().regex(/^[^:]+:.+$/)).min(1),
  }),
);
export type Exceptions = z.infer<typeof Exceptions>;

/** What passed direct when the fixture was last changed. */
export const Baseline = z.record(z.string(), z.strictObject({ scenarios: z.number().int(), checks: z.number().int() }));
export type Baseline = z.infer<typeof Baseline>;

export type Missing = { readonly check: string; readonly reason: string | null };
/** One cell of the matrix: a client of one revision in front of one upstream, through gateways in one form. */
export type Comparison = {
  readonly revision: string;
  readonly upstream: Upstream;
  readonly form: Form;
  readonly direct: Totals;
  readonly through: Totals;
  /** Checks that pass direct and not through us, listed or not. */
  readonly missing: readonly Missing[];
  /** Why this cell does not hold; empty: it does. */
  readonly breaches: readonly string[];
};

export type Runs = Pick<Comparison, 'revision' | 'upstream' | 'form'> & { readonly direct: Outcomes; readonly through: Outcomes };

/** Holds one cell to: what passes direct passes through us, unless it is listed, and what is listed does not. */
export function compare({ revision, upstream, form, direct, through }: Runs, exceptions: Exceptions): Comparison {
  const own = exceptions.filter((each) => each.revisions.includes(revision) && each.upstreams.includes(upstream));
  const reasons = new Map(own.flatMap(({ checks, reason }) => checks.map((check) => [check, reason] as const)));
  const missing = missingChecks(direct, through);
  return {
    revision,
    upstream,
    form,
    direct: totals(direct),
    through: totals(through),
    missing: [...missing.keys()].map((check) => ({ check, reason: reasons.get(check) ?? null })),
    breaches: [
      ...[...missing].filter(([check]) => !reasons.has(check)).map(([check, how]) => `${check} passes direct and not through: ${how}`),
      ...[...reasons.keys()].filter((check) => !missing.has(check)).map((check) => `${check} is listed as missing, and is not`),
    ].map((breach) => `${revision}, upstream ${upstream}, pods ${form}: ${breach}`),
  };
}

/** How each check that passes direct ends through us, where it does not pass there as often. */
export function missingChecks(direct: Outcomes, through: Outcomes): ReadonlyMap<string, string> {
  const after = tally(through);
  const missing = new Map<string, string>();
  for (const [check, { passed, failed }] of tally(direct)) {
    if (passed === 0 || failed > 0) continue;
    const now = after.get(check);
    if (now === undefined) missing.set(check, 'it was not made');
    else if (now.failed > 0) missing.set(check, now.message ?? 'it failed');
    else if (now.passed < passed) missing.set(check, `it was made ${now.passed} times, direct ${passed}`);
  }
  return missing;
}

/** Breaches where fewer scenarios or checks pass direct than when the baseline was written. */
export function belowBaseline(revision: string, direct: Outcomes, baseline: Baseline): string[] {
  const before = baseline[revision];
  if (before === undefined) return [`${revision}: the baseline does not know this revision`];
  const now = totals(direct);
  return (['scenarios', 'checks'] as const)
    .filter((each) => now[each] < before[each])
    .map((each) => `${revision}: ${now[each]} ${each} pass direct, the baseline has ${before[each]}`);
}
