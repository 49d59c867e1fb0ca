/**
 * Prints what the throttle step costs a warm call, with none, one and five limits that all count it, on a store in memory.
 * `node_modules/.bin/node apps/gateway/test/measure-throttle.ts`.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LimitId, type LimitsPart, TokenId, UserId } from '@patchbay/contracts';
import { createMetrics } from '@patchbay/telemetry';
import { makeCounters } from '../src/limits/counters.fixture.ts';
import { makeLimits } from '../src/limits/make-limits.ts';
import { CallContext } from '../src/pipeline/context.ts';
import { makeThrottle } from '../src/pipeline/throttle.ts';
import { ORGANISATION, snapshotOf } from './support/snapshot.ts';

const ROUNDS = 15;
const CALLS = 200_000;
const REAL_TIME = {
  nowMs: () => performance.now(),
  after: (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms)),
};
const principal = {
  organisationId: ORGANISATION,
  userId: UserId.parse(randomUUID()),
  tokenId: TokenId.parse(randomUUID()),
  subjects: ['everyone'],
};
const quiet = { info: () => undefined, warn: () => undefined };

for (const [what, rules] of [
  ['no limit', []],
  ['1 limit', [limit({ per: ['user'] })]],
  [
    '5 limits',
    [limit({}), limit({ per: ['user'] }), limit({ per: ['token', 'server'] }), limit({ per: ['tool'] }), limit({ mode: 'audit' })],
  ],
  ['5 limits and concurrency', Array.from({ length: 5 }, () => limit({ concurrency: 100_000 }))],
] as const) {
  process.stdout.write(`${what}: ${(await measure([...rules])).toFixed(0)} ns a call\n`);
}
process.exit(0);

/** The median of several rounds. */
async function measure(rules: LimitsPart['limits']): Promise<number> {
  const limits = makeLimits({ counters: makeCounters(REAL_TIME), metrics: createMetrics(), log: quiet });
  const throttle = makeThrottle({ limits });
  const snapshot = snapshotOf([{ slug: 'one', url: 'http://127.0.0.1:9/mcp', era: 'modern', tools: ['echo'] }], rules);
  const ctx = new CallContext({} as IncomingMessage, {} as ServerResponse, 0);
  const server = snapshot.serversBySlug.get('one');
  if (server === undefined) throw new Error('the snapshot lacks its server');
  Object.assign(ctx, {
    principal,
    snapshot,
    target: { kind: 'upstream', server, object: { kind: 'tool', name: 'echo' }, upstreamName: null },
  });
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    let spentNs = 0;
    for (let call = 0; call < CALLS; ) {
      // Warm: until a lease is used up; what waits for the store is not measured.
      const from = process.hrtime.bigint();
      let pending: ReturnType<typeof throttle>;
      let calls = 0;
      do {
        pending = throttle(ctx);
        calls += 1;
        if (ctx.admission !== null && !(pending instanceof Promise)) limits.release(ctx.admission);
      } while (pending === undefined && calls < 2_000);
      spentNs += Number(process.hrtime.bigint() - from);
      call += calls;
      if ((await pending) !== undefined) throw new Error('a call was refused');
      if (pending !== undefined && ctx.admission !== null) limits.release(ctx.admission);
      await new Promise((done) => void setImmediate(done));
    }
    rounds.push(spentNs / CALLS);
  }
  await limits.close();
  return rounds.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)] ?? 0;
}

function limit(change: Partial<LimitsPart['limits'][number]>): LimitsPart['limits'][number] {
  return {
    id: LimitId.parse(randomUUID()),
    name: 'measured',
    mode: 'enforce',
    per: [],
    applies: { subject: null, tokenId: null, serverId: null, tool: null },
    windows: [{ windowMs: 60_000, max: 1_000_000_000 }],
    concurrency: null,
    ...change,
  };
}
