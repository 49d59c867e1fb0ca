import type { StdioHostStatus } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { serverProcesses } from './server-processes.ts';

const SERVER = { organisationId: 'o', id: 's', generation: 'g2', isolation: 'session' };

function status(of: { organisationId?: string; serverId?: string; generation?: string }): StdioHostStatus {
  const named = { organisationId: 'o', serverId: 's', slug: 'x', generation: 'g2', stderrTail: ['said'], ...of };
  const running = {
    ...named,
    pid: 7,
    isolation: 'session' as const,
    state: 'ready' as const,
    sessions: 1,
    startedAtMs: 0,
    lastUsedAtMs: 5,
    strayLines: 0,
  };
  const failing = { ...named, during: 'ready' as const, how: 'it exited with code 3', failures: 4, retryAtMs: 60_000 };
  return { isolation: { available: true, missing: [] }, processesMax: 8, processes: [running], failing: [failing] };
}

test('what runs and what fails of one server on all hosts is shown, and nothing of another organisation or server', () => {
  const shown = serverProcesses(SERVER, [status({}), null, status({ organisationId: 'other' }), status({ serverId: 'other' })]);
  expect(shown).toEqual({
    silentHosts: 1,
    processes: [
      {
        ...{ state: 'ready', isolation: 'session', current: true, sessions: 1, stderrTail: ['said'] },
        ...{ startedAt: '1970-01-01T00:00:00.000Z', lastUsedAt: '1970-01-01T00:00:00.005Z' },
      },
    ],
    failing: [{ during: 'ready', how: 'it exited with code 3', failures: 4, retryAt: '1970-01-01T00:01:00.000Z', stderrTail: ['said'] }],
  });
});

test('a process of an older registration is shown as that, and its failures are over', () => {
  const shown = serverProcesses(SERVER, [status({ generation: 'g1' })]);
  expect([shown.processes.map(({ current }) => current), shown.failing]).toEqual([[false], []]);
});

test('a host of an earlier version, which knows of no failures, is read all the same', () => {
  const { failing: _, ...earlier } = status({});
  expect(serverProcesses(SERVER, [earlier])).toMatchObject({ silentHosts: 0, processes: [{ state: 'ready' }], failing: [] });
});
