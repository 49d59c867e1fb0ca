import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Listening } from '@patchbay/testkit';
import { parse } from 'yaml';
import { Baseline, belowBaseline, compare, type Comparison, Exceptions, type Upstream, UPSTREAMS } from './compare.ts';
import { startConformanceServer } from './fixture/conformance-server.ts';
import { type Form, FORMS, type RunningForm, startForm } from './forms.ts';
import type { Outcomes } from './outcomes.ts';
import { type Revision, REVISIONS, runSuite } from './suite.ts';

export type MatrixRequest = {
  readonly forms: readonly Form[];
  readonly revisions: readonly Revision[];
  readonly say: (line: string) => void;
};

export type Matrix = {
  /** By revision, upstream and form. */
  readonly comparisons: readonly Comparison[];
  /** Why it does not hold; empty: it does. */
  readonly breaches: readonly string[];
};

type Directs = ReadonlyMap<Revision, Outcomes>;
const ALL_REVISIONS = Object.keys(REVISIONS) as Revision[];

/** Runs the suite against our fixture, direct and through a gateway in each form, and holds the two together. */
export async function runMatrix({ forms, revisions, say }: MatrixRequest): Promise<Matrix> {
  const fixtures = await startFixtures();
  try {
    const baseline = Baseline.parse(JSON.parse(here('baseline.json')));
    // While the first platform starts: a fixture of its own, because the suite changes the lists of the one that it is given.
    const directs = runDirect(fixtures.direct.url, revisions);
    directs.catch(() => undefined);
    const through = await inTurn(forms, (form) => runThrough({ directs, fixtures, form, revisions, say }));
    const below = [...(await directs)].flatMap(([revision, outcomes]) => belowBaseline(revision, outcomes, baseline));
    const comparisons = through.flatMap((each) => each.comparisons).sort(byPlace);
    return { comparisons, breaches: [...below, ...comparisons.flatMap((each) => each.breaches), ...through.flatMap((each) => each.idle)] };
  } finally {
    await Promise.all(Object.values(fixtures).map((fixture) => fixture.close()));
  }
}

type Fixtures = Readonly<Record<Upstream | 'direct', Listening>>;

async function startFixtures(): Promise<Fixtures> {
  const [direct, both, legacy, modern] = await Promise.all((['both', ...UPSTREAMS] as const).map((each) => startConformanceServer(each)));
  return { direct: direct!, both: both!, legacy: legacy!, modern: modern! };
}

async function runDirect(url: string, revisions: readonly Revision[]): Promise<Directs> {
  return new Map(await inTurn(revisions, async (revision) => [revision, await runSuite(url, revision)] as const));
}

type ThroughRequest = Omit<MatrixRequest, 'forms'> & {
  readonly directs: Promise<Directs>;
  readonly fixtures: Fixtures;
  readonly form: Form;
};

async function runThrough(request: ThroughRequest): Promise<{ comparisons: Comparison[]; idle: string[] }> {
  const { fixtures, form, say } = request;
  say(`pods ${form}: starting …`);
  const running = await startForm(form);
  try {
    const urls = await inTurn(UPSTREAMS, (upstream) => running.register(`for-${upstream}`, fixtures[upstream].url));
    // The suite waits more than it works. One fixture each, so that no run sees what another changes.
    const lanes = UPSTREAMS.map((upstream, index) => runLane(request, upstream, urls[index]!));
    return { comparisons: (await Promise.all(lanes)).flat(), idle: idleOf(form, running) };
  } finally {
    await running.close();
  }
}

function runLane({ directs, form, revisions, say }: ThroughRequest, upstream: Upstream, url: string): Promise<Comparison[]> {
  const exceptions = Exceptions.parse(parse(here('exceptions.yaml')));
  return inTurn(revisions, async (revision) => {
    const through = await runSuite(url, revision);
    say(`pods ${form}: ${revision} through to ${upstream}, done`);
    const direct = (await directs).get(revision) ?? new Map();
    return compare({ revision, upstream, form, direct, through }, exceptions);
  });
}

function idleOf(form: Form, { sent }: RunningForm): string[] {
  return [...sent].filter(([, requests]) => requests === 0).map(([port]) => `pods ${form}: the one on port ${port} was sent nothing`);
}

async function inTurn<T, R>(all: readonly T[], run: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const each of all) results.push(await run(each));
  return results;
}

function byPlace(a: Comparison, b: Comparison): number {
  const place = ({ form, revision, upstream }: Comparison): number =>
    (ALL_REVISIONS.indexOf(revision as Revision) * UPSTREAMS.length + UPSTREAMS.indexOf(upstream)) * FORMS.length + FORMS.indexOf(form);
  return place(a) - place(b);
}

function here(name: string): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8');
}
