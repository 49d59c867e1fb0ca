import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LimitId, LimitsPart, Principal, Revision } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { compileLimits } from './compile-limits.ts';
import { makeCounters, makePod, ORGANISATION } from './counters.fixture.ts';
import { type LimitGate, makeLimitGate } from './limit-gate.ts';

type Limit = LimitsPart['limits'][number];
const REAL_TIME = {
  nowMs: () => performance.now(),
  after: (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms)),
  pass: (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms)),
};
const MINUTE = 60_000;

const limitOf = (name: string, change: Partial<Limit>): Limit => ({
  id: `id of ${name}` as LimitId,
  name,
  mode: 'enforce',
  per: [],
  applies: { subject: null, tokenId: null, serverId: null, tool: null },
  windows: [],
  concurrency: null,
  ...change,
});

function makeGate(limits: Limit[], { countersMax = 100, pods = 1 } = {}) {
  const counters = makeCounters(REAL_TIME);
  const { book } = makePod(REAL_TIME, counters, { countersMax, pods });
  const decisions: string[] = [];
  const gate = makeLimitGate({ book, clock: REAL_TIME, decided: (...decision) => decisions.push(decision.join(' ')) });
  const compiled = compileLimits(limits);
  const principals = new Map<string, Principal>();
  const admit = (user = 'ada'): ReturnType<LimitGate['admit']> => {
    const principal =
      principals.get(user) ?? ({ organisationId: ORGANISATION, userId: user, tokenId: user, subjects: ['everyone'] } as never);
    principals.set(user, principal);
    if (compiled === null) throw new Error('no limits');
    const snapshot = { organisationId: ORGANISATION, organisationSlug: 'acme', revision: 7 as Revision };
    return gate.admit({ limits: compiled, snapshot, principal, serverId: 'server', object: { kind: 'tool', name: 'echo' } });
  };
  return { admit, gate, book, counters, decisions };
}

test('a call that no limit counts is admitted without a question, and nothing is said of it', () => {
  const { admit, counters, decisions } = makeGate([
    limitOf('other', { applies: { subject: null, tokenId: 'bob' as never, serverId: null, tool: null }, concurrency: 1 }),
  ]);
  expect(admit()).toEqual({ admission: null, audited: '' });
  expect([counters.asked.take + counters.asked.hold, decisions]).toEqual([0, []]);
});

test('the first call of a counter waits, the next are synchronous', async () => {
  const { admit, book } = makeGate([limitOf('one', { windows: [{ windowMs: MINUTE, max: 10_000 }] })]);
  expect(admit()).toBeInstanceOf(Promise);
  for (let each = 0; each < 5; each += 1) {
    await admit();
    await REAL_TIME.pass(10);
    book.tick();
  }
  expect(admit()).toEqual({ admission: null, audited: '' });
});

test('a store that does not answer holds a call up for 150 ms, and then the share decides', async () => {
  const { admit, counters } = makeGate([limitOf('one', { windows: [{ windowMs: MINUTE, max: 2 }], concurrency: 5 })]);
  counters.mode = 'hangs';
  const begunMs = performance.now();
  const answers = await Promise.all([admit(), admit(), admit()]);
  const tookMs = performance.now() - begunMs;
  expect(tookMs).toBeGreaterThan(140);
  expect(tookMs).toBeLessThan(1_000);
  expect(answers.filter((answer) => 'code' in answer)).toHaveLength(1);
  expect(counters.asked.take + counters.asked.hold).toBeLessThanOrEqual(2);
});

test('a loop that is too busy to read the answer in time goes by the answer, not by the share', async () => {
  // Answers like a store on another machine: while this thread does nothing but count.
  const store = new Worker(
    `const { parentPort } = require('node:worker_threads'); parentPort.on('message', (n) => parentPort.postMessage(n));`,
    {
      eval: true,
    },
  );
  const { admit, counters } = makeGate([limitOf('one', { windows: [{ windowMs: MINUTE, max: 2 }] })], { pods: 2 });
  const { take } = counters;
  counters.take = async (...question) => {
    store.postMessage(0);
    await once(store, 'message');
    return take(...question);
  };
  try {
    await once(store, 'online');
    for (const expected of ['admission', 'admission', 'code', 'code']) {
      const answer = admit();
      const untilMs = performance.now() + 220;
      while (performance.now() < untilMs);
      expect(await answer).toHaveProperty(expected);
    }
  } finally {
    await store.terminate();
  }
});

test('when one of several limits refuses, the others have lost nothing, whichever comes first', async () => {
  const wide = limitOf('wide', { windows: [{ windowMs: MINUTE, max: 1_000 }], concurrency: 3 });
  const narrow = limitOf('narrow', { per: ['user'], windows: [{ windowMs: MINUTE, max: 1 }] });
  for (const limits of [
    [wide, narrow],
    [narrow, wide],
  ]) {
    const { admit, gate, book } = makeGate(limits);
    // Until the wide one has permits and slots at hand, so that it is taken from before the narrow one refuses.
    for (let user = 0; user < 6; user += 1) {
      const admitted = await admit(`user ${user}`);
      if ('code' in admitted || admitted.admission === null) throw new Error('a first call was not admitted');
      gate.release(admitted.admission);
      await REAL_TIME.pass(10);
      book.tick();
    }
    for (let each = 0; each < 10; each += 1) {
      expect(await admit('user 1')).toMatchObject({ code: 'limit.exceeded', data: { rule: narrow.id, revision: 7, counted: 'fleet' } });
    }
    for (const user of ['bob', 'eve', 'dan']) expect(await admit(user), user).toHaveProperty('admission');
    expect(await admit('fay')).toMatchObject({ data: { rule: wide.id } });
  }
});

test('what a limit refuses is spent in no other', async () => {
  const wide = limitOf('wide', { windows: [{ windowMs: MINUTE, max: 10 }] });
  const narrow = limitOf('narrow', { per: ['user'], windows: [{ windowMs: MINUTE, max: 1 }] });
  const { admit, book } = makeGate([wide, narrow]);
  for (let user = 0; user < 4; user += 1) {
    expect(await admit(`user ${user}`)).toHaveProperty('admission');
    await REAL_TIME.pass(10);
    book.tick();
    for (let each = 0; each < 5; each += 1) expect(await admit('user 0')).toMatchObject({ data: { rule: narrow.id } });
  }
  for (let user = 4; user < 10; user += 1) expect(await admit(`user ${user}`), `user ${user}`).toHaveProperty('admission');
  expect(await admit('user 10')).toMatchObject({ data: { rule: wide.id } });
});

test('audit never waits, takes part in nothing that refuses, and frees what it took', async () => {
  const audited = limitOf('audited', { mode: 'audit', concurrency: 1 });
  const { admit, gate, decisions } = makeGate([audited]);
  const [first, second] = [admit(), admit()];
  if (first instanceof Promise || second instanceof Promise || 'code' in first || 'code' in second)
    throw new Error('audit waited or refused');
  expect([first.audited, second.audited]).toEqual(['', audited.id]);
  expect(decisions).toEqual(['acme audit admitted', 'acme audit refused']);
  // Only the first holds the slot.
  expect(second.admission).toBeNull();
  if (first.admission !== null) gate.release(first.admission);
  expect(admit()).toMatchObject({ audited: '' });
});

test('counters that were dropped to make room are made again, and not spent from memory that nobody keeps', async () => {
  const { admit, book } = makeGate([limitOf('each', { per: ['user'], windows: [{ windowMs: MINUTE, max: 5 }] })], { countersMax: 4 });
  for (let each = 0; each < 40; each += 1) expect(await admit(`user ${each % 10}`)).toHaveProperty('admission');
  expect(book.size).toBeLessThanOrEqual(4);
  // The store has counted all the same: four of each, and the fifth is the last.
  for (let user = 0; user < 10; user += 1) {
    await REAL_TIME.pass(5);
    expect(await admit(`user ${user}`), `user ${user}`).toHaveProperty('admission');
    expect(await admit(`user ${user}`), `user ${user}`).toMatchObject({ code: 'limit.exceeded' });
  }
});
