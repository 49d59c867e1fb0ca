import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import {
  FIXTURE,
  ORGANISATION,
  processesMarked,
  startHost,
  statusOf,
  until,
  type HostOverrides,
  type TestHost,
} from './support/harness.ts';

async function withHost(overrides: HostOverrides, run: (host: TestHost) => Promise<void>): Promise<void> {
  const host = await startHost(overrides);
  try {
    await run(host);
  } finally {
    await host.stop();
  }
}

const running = async (host: TestHost) => (await statusOf(host.url)).processes;

describe('start', () => {
  test('a server that exits at once gives an error with its name and the end of what it wrote, escaped', () =>
    withHost({}, async (host) => {
      const caller = new Caller(host.url, host.launches.add({ slug: 'broken-one', args: [FIXTURE, 'fail'] }));
      const { error } = (await caller.open()).messages[0] ?? {};
      expect(error).toMatchObject({
        code: -31511,
        message: expect.stringMatching(/"broken-one".*code 3.*cannot find \\u\{1b\}\[31mmy settings/),
      });
      expect(await running(host)).toEqual([]);
    }));

  test('a server that finds no network is said to be missing what it may reach', ({ skip }) =>
    withHost({}, async (host) => {
      if (!(await statusOf(host.url)).isolation.available) skip();
      const code = "fetch('https://example.com/').catch((error) => { console.error(String(error.cause)); process.exit(1); })";
      const caller = new Caller(host.url, host.launches.add({ slug: 'offline', args: ['-e', code] }));
      expect((await caller.open()).messages[0]?.error?.message).toContain('names in "egress"');
    }));

  test('a server that never answers initialize is ended after the start-up time', () =>
    withHost({ startTimeoutMs: 300 }, async (host) => {
      const caller = new Caller(host.url, host.launches.add({ slug: 'mute', args: [FIXTURE, 'mute'] }));
      expect((await caller.open()).messages[0]?.error).toMatchObject({ code: -31511, message: expect.stringContaining('within 0.3 s') });
      await until('it is gone', async () => (await running(host)).length === 0);
    }));

  test('a server that refuses to initialize has its own error passed on and opens no session', () =>
    withHost({}, async (host) => {
      const caller = new Caller(host.url, host.launches.add({ slug: 'refusing', args: [FIXTURE, 'refuse'] }));
      const opened = await caller.open();
      expect(opened.messages[0]?.error).toEqual({ code: -32000, message: 'not today' });
      expect(opened.sessionId).toBeNull();
      await until('it is gone', async () => (await running(host)).length === 0);
    }));

  test('a command that does not exist is named', () =>
    withHost({}, async (host) => {
      for (const command of ['no-such-program', './no-such-file', '/no/such/file']) {
        const caller = new Caller(host.url, host.launches.add({ slug: 'lost', command }));
        expect((await caller.open()).messages[0]?.error).toMatchObject({ code: -31511, message: expect.stringContaining(`"${command}"`) });
      }
    }));

  test('a server that this machine cannot start is told so, in words and without our paths, and waits as any that fails', () =>
    withHost({}, async (host) => {
      // Where its folder would be made.
      writeFileSync(join(host.home, 'stdio', ORGANISATION), '');
      for (const isolation of ['session', 'shared'] as const) {
        const caller = new Caller(host.url, host.launches.add({ slug: `homeless-${isolation}`, isolation }));
        const opened = await caller.open();
        expect(opened.messages[0]?.error).toMatchObject({ code: -31511, message: expect.stringMatching(/"homeless-.*not a directory/) });
        expect(opened.messages[0]?.error?.message).not.toContain(host.home);
        expect((await caller.open()).messages[0]?.error).toMatchObject({ code: -31502, message: expect.stringContaining('in 1 s') });
      }
      expect((await statusOf(host.url)).failing).toMatchObject([
        { slug: 'homeless-session', during: 'starting', failures: 1, how: expect.stringContaining('not a directory') },
        { slug: 'homeless-shared' },
      ]);
      rmSync(join(host.home, 'stdio', ORGANISATION));
      // The end of another process once ended the host.
      const other = new Caller(host.url, host.launches.add({ slug: 'other' }));
      expect((await other.open()).sessionId).not.toBeNull();
      await other.call('crash');
      expect((await other.open()).sessionId).not.toBeNull();
    }));

  test('a server that keeps failing is not started again before its time, which doubles', () =>
    withHost({}, async (host) => {
      const caller = new Caller(host.url, host.launches.add({ slug: 'broken', args: [FIXTURE, 'fail'] }));
      await caller.open();
      const first = (await caller.open()).messages[0]?.error;
      expect(first).toMatchObject({ code: -31502, message: expect.stringContaining('started again in 1 s') });
      await new Promise((resolve) => setTimeout(resolve, Number(first?.data?.['retryAfterMs']) + 20));
      expect((await caller.open()).messages[0]?.error?.code).toBe(-31511);
      expect((await caller.open()).messages[0]?.error?.message).toContain('started again in 2 s');
      const [failing, ...others] = (await statusOf(host.url)).failing ?? [];
      expect(others).toEqual([]);
      expect(failing).toMatchObject({ slug: 'broken', during: 'starting', failures: 2, how: expect.stringContaining('code 3') });
      expect(failing?.stderrTail.join()).toContain('my settings');
      expect((failing?.retryAtMs ?? 0) - Date.now()).toBeLessThanOrEqual(2_000);
    }));
});

describe('crash', () => {
  test('every request in flight gets an error that names the server, the session is gone, and the next initialize works', () =>
    withHost({}, async (host) => {
      for (const isolation of ['session', 'shared'] as const) {
        const caller = new Caller(host.url, host.launches.add({ slug: `falls-${isolation}`, isolation }));
        await caller.open();
        const hanging = caller.call('hang', {}, { id: 'waiting' });
        await new Promise((resolve) => setTimeout(resolve, 30));
        const crashed = await caller.call('crash', {}, { id: 2 });
        for (const { messages } of [crashed, await hanging]) {
          expect(messages[0]?.error).toMatchObject({
            code: -31502,
            message: expect.stringMatching(new RegExp(`"falls-${isolation}".*code 7`)),
          });
        }
        expect((await hanging).messages[0]?.id).toBe('waiting');
        expect((await caller.call('echo')).status).toBe(404);
        await caller.open();
        expect(await caller.text('echo', { text: 'back' })).toBe('back');
      }
    }));
});

describe('stop', () => {
  test('an idle server is stopped, a busy one is not', () =>
    withHost({ idleMs: 800 }, async (host) => {
      const idle = new Caller(host.url, host.launches.add({ slug: 'idle' }));
      const busy = new Caller(host.url, host.launches.add({ slug: 'busy', isolation: 'shared' }));
      await Promise.all([idle.open(), busy.open()]);
      const working = busy.call('progress', { steps: 1, ms: 2_500, text: 'worked' });
      await until('the idle one is gone', async () => !(await running(host)).some(({ slug }) => slug === 'idle'));
      expect((await idle.call('echo')).status).toBe(404);
      expect((await working).messages.at(-1)?.result?.content?.[0]?.text).toBe('worked');
      await until('the other one is gone too', async () => (await running(host)).length === 0);
    }));

  test('a process whose lifetime is over takes no further sessions, finishes what it does, and ends', () =>
    withHost({ lifetimeMs: 2_500 }, async (host) => {
      const serverId = host.launches.add({ slug: 'old', isolation: 'shared' });
      const first = new Caller(host.url, serverId);
      await first.open();
      const working = first.call('attack', {
        code: "const { existsSync } = require('fs'); while (!existsSync('go')) await new Promise((r) => setTimeout(r, 20)); return 'finished';",
      });
      let latest = first;
      await until(
        'a new one takes the sessions',
        async () => {
          latest = new Caller(host.url, serverId);
          await latest.open();
          return (await running(host)).length === 2;
        },
        20_000,
      );
      await latest.text('write', { path: 'go', text: '' });
      expect((await working).messages.at(-1)?.result?.content?.[0]?.text).toBe('finished');
      await until('both are gone', async () => (await running(host)).length === 0, 20_000);
    }));

  test('somebody who listens keeps a process of theirs, and not one that all share', () =>
    withHost({ idleMs: 400 }, async (host) => {
      const [own, shared] = (['session', 'shared'] as const).map(
        (isolation) => new Caller(host.url, host.launches.add({ slug: isolation, isolation })),
      );
      if (own === undefined || shared === undefined) throw new Error('there are two');
      await Promise.all([own.open(), shared.open()]);
      const streams = await Promise.all([own.listen(), shared.listen()]);
      expect(await streams[1]?.next()).toBeNull();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(await own.text('count')).toBe('1');
      streams[0]?.leave();
      await until('it is gone', async () => (await running(host)).length === 0);
    }));

  test('a replaced generation takes no new sessions, finishes what it does, and ends', () =>
    withHost({}, async (host) => {
      const serverId = host.launches.add({ slug: 'changing', env: { VERSION: 'old' } });
      const old = new Caller(host.url, serverId);
      await old.open();
      const working = old.call('progress', { steps: 1, ms: 500, text: 'finished' });
      host.launches.add({ slug: 'changing', generation: 'g2', env: { VERSION: 'new' } }, serverId);
      const next = new Caller(host.url, serverId, 'g2');
      await next.open();
      expect(JSON.parse(await next.text('env'))).toMatchObject({ VERSION: 'new' });
      expect((await working).messages.at(-1)?.result?.content?.[0]?.text).toBe('finished');
      await until('only the new one is left', async () => (await running(host)).every(({ generation }) => generation === 'g2'));
      expect((await new Caller(host.url, serverId, 'g1').open()).messages[0]?.error?.code).toBe(-31513);
    }));

  test('a server that ignores the end of its input is ended all the same', () =>
    withHost({}, async (host) => {
      const caller = new Caller(host.url, host.launches.add({ slug: 'deaf', args: [FIXTURE, 'deaf'], env: { MARK: 'mark-deaf' } }));
      await caller.open();
      expect(processesMarked('mark-deaf')).not.toEqual([]);
      await caller.end();
      await until('it is gone', () => processesMarked('mark-deaf').length === 0);
    }));
});

describe('limit', () => {
  test('the idle process unused for longest makes room; when all are busy the error says what to raise', () =>
    withHost({ processesMax: 2 }, async (host) => {
      const serverId = host.launches.add({ slug: 'many' });
      const [a, b, c, d] = [1, 2, 3, 4].map(() => new Caller(host.url, serverId)) as [Caller, Caller, Caller, Caller];
      await a.open();
      await b.open();
      await a.text('count');
      await c.open();
      expect((await b.call('echo')).status).toBe(404);
      const busy = [a, c].map((caller) => caller.call('progress', { steps: 1, ms: 600, text: 'x' }));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await d.open()).messages[0]?.error).toMatchObject({
        code: -31510,
        message: expect.stringContaining('PATCHBAY_STDIO_PROCESSES_MAX'),
      });
      await Promise.all(busy);
      expect((await d.open()).sessionId).not.toBeNull();
      expect(await running(host)).toHaveLength(2);
    }));
});

describe('output', () => {
  test('stderr and stray stdout are kept, escaped and with configured values masked, and do no harm', () =>
    withHost({}, async (host) => {
      const caller = new Caller(host.url, host.launches.add({ slug: 'noisy', env: { API_KEY: 'sk-very-secret-value' } }));
      await caller.open();
      await caller.text('say', { text: 'using sk-very-secret-value \u001b]0;title\u0007' });
      expect(await caller.text('garbage')).toBe('printed');
      await until('it was read', async () => (await running(host))[0]?.strayLines === 2);
      const [process] = await running(host);
      expect(process?.stderrTail).toEqual(expect.arrayContaining(['using [env API_KEY] \\u{1b}]0;title\\u{7}', 'stdout: this is no JSON']));
    }));
});
