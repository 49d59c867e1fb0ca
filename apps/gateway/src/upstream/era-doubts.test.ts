import { OrganisationId, ServerId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { doubtRefused, makeEraDoubts } from './era-doubts.ts';

const [ONE, OTHER] = ['6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12'].map((id) => OrganisationId.parse(id));
const server = { id: ServerId.parse('6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c13'), generation: 'g1' };
const logger = { info: () => undefined };

test('a server that contradicts what is known of it is told of once a minute, in each generation and organisation', () => {
  const told: string[] = [];
  let nowMs = 0;
  const post = async (path: string, body: string): Promise<{ status: number; body: Buffer }> => {
    told.push(`${path} ${body}`);
    return { status: 204, body: Buffer.alloc(0) };
  };
  const doubts = makeEraDoubts({ post, logger, clock: { monotonicMs: () => nowMs } });
  if (ONE === undefined || OTHER === undefined) throw new Error('unreachable');
  doubts.doubt(ONE, server);
  doubts.doubt(ONE, server);
  expect(told).toEqual([`/internal/v1/era-doubts {"organisationId":"${ONE}","serverId":"${server.id}","generation":"g1"}`]);
  doubts.doubt(ONE, { ...server, generation: 'g2' });
  doubts.doubt(OTHER, server);
  expect(told).toHaveLength(3);
  nowMs = 59_000;
  doubts.doubt(ONE, server);
  expect(told).toHaveLength(3);
  nowMs = 61_000;
  doubts.doubt(ONE, server);
  expect(told).toHaveLength(4);
});

test('that no control plane hears it harms nobody', async () => {
  const doubts = makeEraDoubts({ post: () => Promise.reject(new Error('away')), logger, clock: { monotonicMs: () => 0 } });
  doubts.doubt(OrganisationId.parse(ONE), server);
  await Promise.resolve();
});

test('only refusing a whole message for what it is speaks of an era', () => {
  const doubted: number[] = [];
  for (const status of [200, 400, 401, 403, 404, 405, 408, 429, 500, 503]) {
    const eras = { doubt: () => void doubted.push(status) };
    doubtRefused({ eras, organisationId: OrganisationId.parse(ONE), server: server as CompiledServer }, status);
  }
  expect(doubted).toEqual([400, 404, 405]);
});
