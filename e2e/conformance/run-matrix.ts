import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Listening } from '@patchbay/testkit';
import { parse } from 'yaml';
import { Baseline, belowBaseline, compare, type Comparison, Exceptions, type Upstream, UPSTREAMS } from './compare.ts';
import { ClientExceptions, compareClients, CLIENT_ERAS, type ClientComparison } from './client-side/compare-clients.ts';
import { observeDirect, observeThrough } from './client-side/run-client-side.ts';
import { CLIENT_SCENARIOS } from './client-side/scenarios.ts';
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
  /** With the gateway as the suite's client; where one of the forms has it. */
  readonly clients: readonly ClientComparison[];
  /** Why it does not hold; empty: it does. */
  readonly breaches: readonly string[];
};

type Directs = ReadonlyMap<Revision, Outcomes>;
/** Once is enough: what a client does that stands before the gateway is the same in each. */
const FORM_WITH_CLIENTS: Form = '3';
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
    const clients = through.flatMap((each) => each.clients);
    const idle = through.flatMap((each) => each.idle);
    return { comparisons, clients, breaches: [...below, ...[...comparisons, ...clients].flatMap((each) => each.breaches), ...idle] };
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

async function runThrough(request: ThroughRequest): Promise<{ comparisons: Comparison[]; clients: ClientComparison[]; idle: string[] }> {
  const { fixtures, form, say } = request;
  say(`pods ${form}: starting …`);
  const running = await startForm(form);
  try {
    const urls = await inTurn(UPSTREAMS, (upstream) => running.register(`for-${upstream}`, fixtures[upstream].url));
    // The suite waits more than it works. One fixture each, so that no run sees what another changes.
    const lanes = UPSTREAMS.map((upstream, index) => runLane(request, upstream, urls[index]!));
    const comparisons = (await Promise.all(lanes)).flat();
    const clients = form === FORM_WITH_CLIENTS ? await runClientSide(request, running) : [];
    return { comparisons, clients, idle: idleOf(form, running) };
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

async function runClientSide({ revisions, say }: ThroughRequest, running: RunningForm): Promise<ClientComparison[]> {
  const exceptions = ClientExceptions.parse(parse(here('client-side/exceptions.yaml')));
  const scenarios = CLIENT_SCENARIOS.filter(({ revision }) => revisions.includes(revision));
  const lanes = revisions.map((revision) =>
    inTurn(
      scenarios.filter((scenario) => scenario.revision === revision),
      async (scenario) => {
        const direct = await observeDirect(scenario);
        return inTurn(CLIENT_ERAS, async (client) => {
          const through = await observeThrough(scenario, client, running);
          return compareClients({ scenario, client, direct, through }, exceptions);
        });
      },
    ),
  );
  const compared = (await Promise.all(lanes)).flat(2);
  say(`${compared.length} runs with the gateway as the client, done`);
  return compared;
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
