import { randomBytes } from 'node:crypto';
import { arrive, type Arrivals, type Latencies } from '../load/arrivals.ts';
import { measureRounds, samplesOf } from '../measure/rounds.ts';
import { median } from '../measure/statistics.ts';
import { metricsOf } from '../stage/gateway.ts';
import { CALL_SUBJECTS, inventedToken } from './calls.ts';
import type { Group, Measured, Row } from './row.ts';

const INVENTED_PER_SECOND = 1_000;
const ANONYMOUS_PER_SECOND = 50;
const ANONYMOUS_BYTES = 4 * 1_048_576;
/** Of the ceiling, with nobody else there. */
const SERVED_SHARE = 0.3;
const CONNECTIONS = 32;

const ROWS = {
  tail: {
    name: 'strangers',
    work: 'p99 of served calls beside 1,000 invented tokens/s and 50 anonymous bodies of 4 MiB/s',
    budget: { text: '≤ 1.1 × without', at: 1.1, is: 'at most' },
  },
  lookups: { name: 'strangers-lookups', work: 'lookups of tokens that they cause', budget: { text: '≤ 50/s', at: 50, is: 'at most' } },
} as const satisfies Record<string, Row>;

/** What people without a token cost those who have one. Wants a quiet machine, with cores for the strangers too. */
export const STRANGER_ROWS: Group = {
  rows: Object.values(ROWS),
  async measure(cast, wanted) {
    const make = CALL_SUBJECTS['own endpoint'];
    if (make === undefined) throw new Error('nobody is served');
    const served = await make(cast);
    const { gateway } = await cast.everything();
    const { folder } = cast.stage;
    const ceiling = median(
      samplesOf(await measureRounds([served], { rounds: 2, seconds: 1, connections: CONNECTIONS, folder }), served.name).map(
        ({ perSecond }) => perSecond,
      ),
    );
    const { seconds } = cast.pace;
    const plan = { port: served.port, seconds, connections: CONNECTIONS, folder };
    const serve = (): Promise<Latencies> => arrive({ ...plan, messages: served.messages, perSecond: SERVED_SHARE * ceiling });
    const strangers = strangersOf(plan, served.messages[0]?.path ?? '/');
    cast.say('Measuring served calls with and without strangers');
    const ratios: number[] = [];
    const before = lookupsIn(await metricsOf(gateway));
    for (let round = 0; round < cast.pace.rounds; round += 1) {
      const alone = await serve();
      const [beside] = await Promise.all([serve(), ...strangers.map(arrive)]);
      ratios.push(beside.p99 / alone.p99);
    }
    const lookups = (lookupsIn(await metricsOf(gateway)) - before) / (cast.pace.rounds * seconds);
    const tail = median(ratios);
    const all: Measured[] = [
      {
        row: ROWS.tail.name,
        figure: tail,
        text: `${tail.toFixed(2)} × (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`,
      },
      { row: ROWS.lookups.name, figure: lookups, text: `${lookups.toFixed(1)}/s` },
    ];
    return all.filter(({ row }) => wanted.has(row));
  },
};

function strangersOf(plan: Omit<Arrivals, 'messages' | 'perSecond'>, path: string): readonly Arrivals[] {
  const tagKey = randomBytes(32);
  const post = { method: 'POST', path, body: '{}' } as const;
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const invented = Array.from({ length: INVENTED_PER_SECOND }, () => ({
    ...post,
    headers: { ...headers, authorization: `Bearer ${inventedToken(tagKey)}` },
  }));
  return [
    { ...plan, messages: invented, perSecond: INVENTED_PER_SECOND },
    { ...plan, messages: [{ ...post, headers, body: `"${'x'.repeat(ANONYMOUS_BYTES)}"` }], perSecond: ANONYMOUS_PER_SECOND },
  ];
}

/** How many tokens the gateway has asked its stores for. */
function lookupsIn(metrics: string): number {
  const series = metrics.matchAll(/^patchbay_gateway_token_lookups_total\{[^}]*from="asked"[^}]*\} (\d+)/gm);
  return [...series].reduce((sum, [, count]) => sum + Number(count), 0);
}
