import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { LaunchServer, makeHome, processesMarked, SECRET, until } from './support/harness.ts';

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
        const callers = serverIds.map((spec, index) => new Caller(url, launches.add({ slug: `s${index}`, env: { MARK: mark }, ...spec })));
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
      } finally {
        child.kill('SIGKILL');
        await launches.stop();
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
