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

/** What a host could leave behind on this machine; the host is this very process. */
function belongings(host: TestHost): Record<string, unknown> {
  return {
    files: readdirSync('/proc/self/fd').length,
    temporary: readdirSync('/tmp').filter((name) => name.startsWith(`patchbay-egress-${process.pid}-`)),
    groups: groups(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    home: readdirSync(join(host.home, 'stdio')).length,
    sandbox: readdirSync(join(host.home, 'stdio', '.sandbox')).length,
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

/** Runs the cycles and holds what is left against what a first few have left. */
async function leavesNothing(host: TestHost, mark: string, cycles: Cycles): Promise<void> {
  await run({ ...cycles, count: cycles.atOnce * 2 });
  await until('the first are gone', () => processesMarked(mark).length === 0);
  // Connections of theirs are kept open for the next request, for five seconds at most.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const before = belongings(host);
  await run(cycles);
  await until('nothing is left', () => processesMarked(mark).length === 0);
  await until('everything is as before', () => JSON.stringify(belongings(host)) === JSON.stringify(before), 15_000).catch(() => undefined);
  expect(belongings(host)).toEqual(before);
}

test('1,000 times start, use and stop of a small server leave no process, file, group or mount behind', { timeout: 900_000 }, async () => {
  const host = await startHost();
  const mark = `mark-cycles-small-${process.pid}`;
  const serverId = host.launches.add({ slug: 'small', command: '/bin/sh', args: [SMALL], env: { MARK: mark } });
  try {
    const cycle = async () => {
      const caller = new Caller(host.url, serverId);
      await caller.open();
      expect(await caller.text('any')).toMatch(/^\d+$/);
      expect(await caller.end()).toBe(204);
    };
    await leavesNothing(host, mark, { count: 1_000, atOnce: 8, cycle });
    // And it is seen while it is there.
    const last = new Caller(host.url, serverId);
    await last.open();
    expect(groups().length > 0).toBe((await statusOf(host.url)).limits?.heldBy === 'kernel');
    await last.end();
  } finally {
    await host.stop();
  }
});

test('50 times start, use and stop of the everything server, with a way out, leave nothing either', { timeout: 900_000 }, async () => {
  const host = await startHost({ startTimeoutMs: 120_000 });
  const mark = `mark-cycles-everything-${process.pid}`;
  const egress = { targets: ['example.com:443'], openings: [] };
  const serverId = host.launches.add({ slug: 'everything', args: [everything()], env: { MARK: mark }, egress });
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
