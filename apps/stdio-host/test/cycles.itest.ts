import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { processesMarked, startHost, statusOf, type TestHost, until } from './support/harness.ts';

const SMALL = fileURLToPath(new URL('./fixtures/small-server.sh', import.meta.url));

function everything(): string {
  const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  return realpathSync(join(dirname(manifest), Object.values(bin)[0] ?? ''));
}

/** Control groups of this process's servers, of either version and wherever they hang. */
function groups(directory = '/sys/fs/cgroup'): string[] {
  if (!existsSync(directory)) return [];
  const inside = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return inside.flatMap(({ name }) => (name.startsWith(`patchbay-${process.pid}-`) ? [name] : groups(join(directory, name))));
}

const countIn = (folder: string): number => (existsSync(folder) ? readdirSync(folder).length : 0);

/** What a host could leave behind on this machine; the host is this very process. */
function belongings(host: TestHost): Record<string, unknown> {
  return {
    files: readdirSync('/proc/self/fd').length,
    temporary: readdirSync('/tmp').filter((name) => name.startsWith(`patchbay-egress-${process.pid}-`)),
    groups: groups(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    home: readdirSync(join(host.home, 'stdio')).length,
    sandbox: countIn(join(host.home, 'stdio', '.sandbox')),
  };
}

type Cycles = { readonly count: number; readonly atOnce: number; readonly cycle: (index: number) => Promise<void> };

async function run({ atOnce, count, cycle }: Cycles): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await cycle(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** What the host has once that stays the same: connections and groups that are being closed are gone a moment later. */
async function settled(host: TestHost): Promise<Record<string, unknown>> {
  let seen = belongings(host);
  await until('it has settled', async () => {
    const last = seen;
    await new Promise((resolve) => setTimeout(resolve, 200));
    seen = belongings(host);
    return JSON.stringify(seen) === JSON.stringify(last);
  });
  return seen;
}

/** Runs the cycles and holds what is left against what a first few have left. */
async function leavesNothing(host: TestHost, mark: string, cycles: Cycles): Promise<void> {
  await run({ ...cycles, count: cycles.atOnce * 2 });
  await until('the first are gone', () => processesMarked(mark).length === 0);
  const before = await settled(host);
  await run(cycles);
  await until('nothing is left', () => processesMarked(mark).length === 0);
  await until('everything is as before', () => JSON.stringify(belongings(host)) === JSON.stringify(before), 15_000).catch(() => undefined);
  expect(belongings(host)).toEqual(before);
}

/** A small server, so often; each cycle is a whole session of a process of its own. */
async function smallCycles(host: TestHost, count: number): Promise<void> {
  const mark = `mark-cycles-small-${process.pid}-${count}`;
  const serverId = host.launches.add({ slug: 'small', command: '/bin/sh', args: [SMALL], env: { MARK: mark } });
  const cycle = async () => {
    const caller = new Caller(host.url, serverId);
    await caller.open();
    expect(await caller.text('any')).toMatch(/^\d+$/);
    expect(await caller.end()).toBe(204);
  };
  await leavesNothing(host, mark, { count, atOnce: 8, cycle });
  // And it is seen while it is there.
  const last = new Caller(host.url, serverId);
  await last.open();
  expect(groups().length > 0).toBe((await statusOf(host.url)).limits?.heldBy === 'kernel');
  await last.end();
}

// 1,000 in all: a start in the sandbox costs twenty times one without, and what each of them leaves shows after a few.
test.each([
  ['300', 'in the sandbox', {}],
  ['700', 'where there is none', { sandbox: { tools: null, missing: ['everything'] } }],
] as const)(
  '%s times start, use and stop of a small server %s leave no process, file, group or mount behind',
  { timeout: 900_000 },
  async (count, _where, overrides) => {
    const host = await startHost(overrides);
    try {
      await smallCycles(host, Number(count));
    } finally {
      await host.stop();
    }
  },
);

test('50 times start, use and stop of the everything server, with a way out, leave nothing either', { timeout: 900_000 }, async () => {
  const host = await startHost({ startTimeoutMs: 120_000 });
  const mark = `mark-cycles-everything-${process.pid}`;
  const egress = { targets: ['example.com:443'], openings: [] };
  const serverId = host.launches.add({
    slug: 'everything',
    args: [everything()],
    env: { MARK: mark, NODE_COMPILE_CACHE: 'compiled' },
    egress,
  });
  try {
    const cycle = async (index: number) => {
      const caller = new Caller(host.url, serverId);
      caller.capabilities = { sampling: {} };
      expect((await caller.open()).messages[0]?.error).toBeUndefined();
      expect(await caller.text('echo', { message: `cycle ${index}` })).toContain(`cycle ${index}`);
      const general = await caller.listen();
      if (index % 2 === 0) expect(await caller.end()).toBe(204);
      else await caller.end().finally(() => general.leave());
    };
    await leavesNothing(host, mark, { count: 50, atOnce: 2, cycle });
  } finally {
    await host.stop();
  }
});
