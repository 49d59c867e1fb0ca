import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { LaunchServer, makeHome, processesMarked, SECRET, startHost, until } from './support/harness.ts';

const HOST = fileURLToPath(new URL('./fixtures/host.ts', import.meta.url));

async function spawnHost(
  home: string,
  launches: LaunchServer,
  more: Record<string, string>,
): Promise<{ child: ChildProcess; url: string }> {
  const env = { PATH: process.env['PATH'] ?? '', TEST_HOME: home, TEST_LAUNCHES: launches.url, TEST_SECRET: SECRET, ...more };
  const child = spawn(process.execPath, ['--conditions=patchbay-source', '--disable-warning=ExperimentalWarning', HOST], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, url: `http://127.0.0.1:${port.toString().trim()}` };
}

/** Directories that a host of this pid made for its servers: ways out, and control groups. */
function leftOf(pid: number): string[] {
  const groups = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, kind = '', path = ''] = line.split(':');
      const directory = join('/sys/fs/cgroup', kind, path);
      return ['memory', 'pids', 'cpu'].includes(kind) && existsSync(directory) ? readdirSync(directory) : [];
    });
  return [...readdirSync('/tmp'), ...groups].filter(
    (name) => name.startsWith(`patchbay-egress-${pid}-`) || name.startsWith(`patchbay-${pid}-`),
  );
}

async function nextRemovesWhatIsLeft(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(0);
  const next = await startHost();
  await next.stop();
  expect(leftOf(pid)).toEqual([]);
}

describe.skipIf(process.platform !== 'linux')('kill -9 of the host', () => {
  for (const [kind, more] of [
    ['with a sandbox', {}],
    ['without a sandbox', { TEST_PLAIN: '1' }],
  ] as const) {
    test(`${kind}, leaves no server and nothing that a server started`, async () => {
      const home = makeHome();
      const launches = await new LaunchServer().start();
      const mark = `mark-kill-${kind.replaceAll(' ', '-')}-${process.pid}`;
      const { child, url } = await spawnHost(home, launches, more);
      try {
        const serverIds = [{ isolation: 'session' }, { isolation: 'shared' }] as const;
        // With a way out, which is a directory in /tmp that nobody but the host removes.
        const egress = { targets: ['example.com:443'], openings: [] };
        const callers = serverIds.map(
          (spec, index) => new Caller(url, launches.add({ slug: `s${index}`, env: { MARK: mark }, egress, ...spec })),
        );
        for (const caller of callers) {
          await caller.open();
          // Without a sandbox only its process group can be reached, so there the grandchild stays in it.
          await caller.text('grandchild', { detached: kind === 'with a sandbox' });
        }
        // A server that would go on without its input: only a signal ends it.
        const deaf = new Caller(url, launches.add({ slug: 'deaf', env: { MARK: mark }, args: [...launches.defaultArgs, 'deaf'] }));
        await deaf.open();
        expect(processesMarked(mark).length).toBeGreaterThanOrEqual(5);
        child.kill('SIGKILL');
        await until('nothing is left', () => processesMarked(mark).length === 0, 3_000);
        // Only inside a sandbox is there a way out that can be left behind.
        if (kind === 'with a sandbox') expect(leftOf(child.pid ?? 0)).not.toEqual([]);
        await nextRemovesWhatIsLeft(child.pid ?? 0);
      } finally {
        child.kill('SIGKILL');
        await launches.stop();
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
