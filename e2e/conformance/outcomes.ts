export type Check = { readonly id: string; readonly status: string; readonly errorMessage?: string | undefined };
/** What the suite found, by scenario, in the order of its report. */
export type Outcomes = ReadonlyMap<string, readonly Check[]>;

export type Tally = { readonly passed: number; readonly failed: number; readonly message: string | null };

/**
 * How often each check was made and how it ended, by "scenario:id": an id may come several times in one scenario. Notes (INFO) are no
 * checks; a warning or a skipped check has not passed.
 */
export function tally(outcomes: Outcomes): ReadonlyMap<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const [scenario, checks] of outcomes)
    for (const { id, status, errorMessage } of checks) {
      if (status === 'INFO') continue;
      const key = `${scenario}:${id}`;
      const before = tallies.get(key) ?? { passed: 0, failed: 0, message: null };
      const isPassed = status === 'SUCCESS';
      tallies.set(key, {
        passed: before.passed + (isPassed ? 1 : 0),
        failed: before.failed + (isPassed ? 0 : 1),
        message: before.message ?? (isPassed ? null : `${status}${errorMessage === undefined ? '' : `: ${errorMessage}`}`),
      });
    }
  return tallies;
}

export type Totals = { readonly scenarios: number; readonly checks: number };

/** Scenarios in which every check passed, and checks that passed, each time they were made. */
export function totals(outcomes: Outcomes): Totals {
  let scenarios = 0;
  let checks = 0;
  for (const made of outcomes.values()) {
    const counted = made.filter(({ status }) => status !== 'INFO');
    const passed = counted.filter(({ status }) => status === 'SUCCESS').length;
    checks += passed;
    if (passed > 0 && passed === counted.length) scenarios += 1;
  }
  return { scenarios, checks };
}
