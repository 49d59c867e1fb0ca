import type { LaunchSpec } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { LaunchSpecs, type AskControlPlane } from './launch-specs.ts';

const KEY = { organisationId: 'o', serverId: 's' };
const SPEC: LaunchSpec = {
  generation: 'g1',
  slug: 'x',
  command: 'node',
  args: [],
  env: {},
  isolation: 'session',
  dial: null,
  egress: { targets: [], openings: [] },
};

function setUp(first: AskControlPlane = async () => ({ status: 200, text: JSON.stringify(SPEC) })) {
  const world = { nowMs: 0, asked: 0, ask: first };
  const counted: AskControlPlane = (key, generation, confines) => {
    world.asked += 1;
    return world.ask(key, generation, confines);
  };
  return { world, specs: new LaunchSpecs(counted, { clock: { nowMs: () => world.nowMs }, confines: false }) };
}

test('the control plane is told whether what it lets start is confined', async () => {
  const said: boolean[] = [];
  const { specs } = setUp(async (_key, _generation, confines) => {
    said.push(confines);
    return { status: 200, text: JSON.stringify(SPEC) };
  });
  await specs.get(KEY, 'g1');
  expect(said).toEqual([false]);
});

test('a specification is asked for once a minute, and once for all who ask together', async () => {
  const { world, specs } = setUp();
  await Promise.all([specs.get(KEY, 'g1'), specs.get(KEY, 'g1')]);
  world.nowMs = 59_999;
  expect(await specs.get(KEY, 'g1')).toEqual(SPEC);
  expect(world.asked).toBe(1);
  world.nowMs = 60_000;
  await specs.get(KEY, 'g1');
  expect(world.asked).toBe(2);
});

test('what is known still stands while the control plane is away, and falls when it says that the server is gone', async () => {
  const { world, specs } = setUp();
  await specs.get(KEY, 'g1');
  world.nowMs = 100_000;
  world.ask = () => Promise.reject(new Error('connection refused'));
  expect(await specs.get(KEY, 'g1')).toEqual(SPEC);
  world.ask = async () => ({ status: 404, text: '' });
  expect(await specs.get(KEY, 'g1')).toMatchObject({ code: 'stdio.launch_gone' });
  world.ask = () => Promise.reject(new Error('connection refused'));
  expect(await specs.get(KEY, 'g1')).toMatchObject({ code: 'stdio.launch_unavailable' });
});

test('what is known falls when it may not be run any more', async () => {
  const { world, specs } = setUp();
  await specs.get(KEY, 'g1');
  world.nowMs = 100_000;
  world.ask = async () => ({ status: 403, text: '' });
  expect(await specs.get(KEY, 'g1')).toMatchObject({ code: 'stdio.not_allowed' });
  world.ask = () => Promise.reject(new Error('connection refused'));
  expect(await specs.get(KEY, 'g1')).toMatchObject({ code: 'stdio.launch_unavailable' });
});

test('an answer of another generation, or one that is no specification, is not run', async () => {
  const answers = [JSON.stringify({ ...SPEC, generation: 'g2' }), '{"command":"rm"}', '<html>'];
  for (const text of answers) {
    const { specs } = setUp(async () => ({ status: 200, text }));
    expect(await specs.get(KEY, 'g1')).toMatchObject({ code: 'stdio.launch_unavailable' });
  }
});
