import { arrive, type Latencies } from '../load/arrivals.ts';
import { measureRounds, samplesOf, type Subject } from '../measure/rounds.ts';
import { median } from '../measure/statistics.ts';
import { CALL_SUBJECTS } from './calls.ts';
import type { Cast } from './cast.ts';
import type { Group, Measured, Row } from './row.ts';

const SHARES = [0.3, 0.6, 0.9] as const;
/** The load at which there is a budget. */
const JUDGED = 0.6;

const LATENCY_ROWS_OF: readonly Row[] = SHARES.flatMap((share) => {
  const at = `at ${share * 100} % of its ceiling`;
  return [
    { name: `p50-${share * 100}`, work: `added p50 ${at}`, budget: share === JUDGED ? { text: '≤ 0.4 ms', at: 0.4, is: 'at most' } : null },
    { name: `p99-${share * 100}`, work: `added p99 ${at}`, budget: share === JUDGED ? { text: '≤ 2 ms', at: 2, is: 'at most' } : null },
  ] satisfies Row[];
});

const CONNECTIONS = 64;
const CEILING_CONNECTIONS = 16;

/** What a gateway adds to the time of a call beside the bare proxy, at the same fixed rate of arrivals. Wants a quiet machine. */
export const LATENCY_ROWS: Group = {
  rows: LATENCY_ROWS_OF,
  async measure(cast, wanted) {
    const [own, bare] = [await subject(cast, 'own endpoint'), await subject(cast, 'bare proxy')];
    const options = { rounds: 3, seconds: cast.pace.seconds, connections: CEILING_CONNECTIONS, folder: cast.stage.folder };
    const ceiling = median(samplesOf(await measureRounds([own], options), own.name).map(({ perSecond }) => perSecond));
    const measured: Measured[] = [];
    for (const share of SHARES) {
      const names = [`p50-${share * 100}`, `p99-${share * 100}`];
      if (!names.some((name) => wanted.has(name))) continue;
      cast.say(`Calls arriving at ${share * 100} % of ${ceiling.toFixed(0)} a second`);
      measured.push(...(await addedAt(cast, { own, bare }, share * ceiling)).map((added, k) => ({ row: names[k] ?? '', ...added })));
    }
    return measured.filter(({ row }) => wanted.has(row));
  },
};

function subject(cast: Cast, name: string): Promise<Subject> {
  const make = CALL_SUBJECTS[name];
  if (make === undefined) throw new Error(`there is no subject "${name}"`);
  return make(cast);
}

/** Median and 99th percentile beyond the bare proxy's, each the median over the rounds. */
async function addedAt(
  cast: Cast,
  { bare, own }: { readonly own: Subject; readonly bare: Subject },
  perSecond: number,
): Promise<readonly Omit<Measured, 'row'>[]> {
  const rounds: { own: Latencies; bare: Latencies }[] = [];
  for (let round = 0; round < cast.pace.rounds; round += 1)
    rounds.push({ bare: await latenciesOf(cast, bare, perSecond), own: await latenciesOf(cast, own, perSecond) });
  return (['p50', 'p99'] as const).map((what) => {
    const added = median(rounds.map((round) => round.own[what] - round.bare[what]));
    const [mine, theirs] = [median(rounds.map((round) => round.own[what])), median(rounds.map((round) => round.bare[what]))];
    const tail =
      what === 'p50'
        ? ''
        : `; p99.9 ${ms(median(rounds.map((round) => round.own.p999)))}, bare ${ms(median(rounds.map((round) => round.bare.p999)))}`;
    return { figure: added, text: `${ms(added)} (${ms(mine)}, bare ${ms(theirs)}${tail}) at ${perSecond.toFixed(0)}/s` };
  });
}

async function latenciesOf(cast: Cast, { messages, name, port }: Subject, perSecond: number): Promise<Latencies> {
  const latencies = await arrive({
    port,
    messages,
    perSecond,
    seconds: cast.pace.seconds,
    connections: CONNECTIONS,
    folder: cast.stage.folder,
  });
  if (latencies.failed > 0) throw new Error(`${name} did not answer ${latencies.failed} calls`);
  return latencies;
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}
