import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { FIXTURE, ORGANISATION, startHost, statusOf, type TestHost } from './support/harness.ts';

let host: TestHost;
let caller: Caller;
let available = false;

beforeAll(async () => {
  host = await startHost();
  available = (await statusOf(host.url)).isolation.available;
  caller = new Caller(host.url, host.launches.add({ slug: 'curious', env: { GREETING: 'two\nlines; $(id) "quoted"', EMPTY: '' } }));
  await caller.open();
});
afterAll(() => host.stop());

/** What a folder shows of the way to a place below it: programs are run from this checkout, wherever it is. */
function wayFrom(folder: string, place: string): string[] {
  const [first = '..'] = relative(folder, place).split(sep);
  return first === '..' ? [] : [first];
}

describe('what any server sees', () => {
  test('an environment of what was configured, plus PATH, HOME, LANG and TMPDIR', async () => {
    const env = JSON.parse(await caller.text('env')) as Record<string, string>;
    expect(env).toMatchObject({ GREETING: 'two\nlines; $(id) "quoted"', EMPTY: '', LANG: 'C.UTF-8' });
    const ofTheShell = ['PWD', 'SHLVL', '_'];
    expect(
      Object.keys(env)
        .filter((name) => !ofTheShell.includes(name))
        .sort(),
    ).toEqual(['EMPTY', 'GREETING', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
  });

  test('a directory of its own as cwd and HOME, kept between its processes and closed to others', async () => {
    const data = join(host.home, 'stdio', ORGANISATION, caller.serverId);
    expect(JSON.parse(await caller.text('place'))).toMatchObject({ cwd: data, home: data });
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(await caller.text('write', { path: 'kept.txt', text: 'here' })).toBe('written');
    const again = new Caller(host.url, caller.serverId);
    await again.open();
    expect(await again.text('read', { path: 'kept.txt' })).toBe('here');
    await again.end();
  });

  test('a variable whose name no shell takes is refused in words', async () => {
    const odd = new Caller(host.url, host.launches.add({ slug: 'odd', env: { 'A-B': 'x' } }));
    expect((await odd.open()).messages[0]?.error).toMatchObject({ code: -31511, message: expect.stringContaining('"A-B"') });
  });
});

describe.skipIf(process.platform !== 'linux')('what a confined server cannot do', () => {
  test('the machine that runs these tests can confine', () => {
    if (process.env['CI_NO_NAMESPACES'] === undefined) expect(available).toBe(true);
  });

  test('read our keys, see the data of others, or meet their temporary files', async ({ skip }) => {
    if (!available) skip();
    expect(await caller.text('read', { path: join(host.home, 'keys', 'master.key') })).toBe('ENOENT');
    expect(JSON.parse(await caller.text('list', { path: host.home }))).toEqual(['stdio']);
    expect(JSON.parse(await caller.text('list', { path: join(host.home, 'stdio', ORGANISATION) }))).toEqual([caller.serverId]);
    expect(JSON.parse(await caller.text('list', { path: '/tmp' }))).toEqual(wayFrom('/tmp', import.meta.dirname));
  });

  test('see or signal another process, or read its environment', async ({ skip }) => {
    if (!available) skip();
    const other = new Caller(host.url, host.launches.add({ slug: 'other', env: { TOKEN: 'of-the-other-server' } }));
    await other.open();
    const environs = JSON.parse(await caller.text('environs')) as string[];
    expect(environs.length).toBeGreaterThan(0);
    expect(environs.join('\n')).not.toContain('of-the-other-server');
    expect(await caller.text('kill', { pid: process.pid })).toBe('ESRCH');
    await other.end();
  });

  test('gain a privilege: it has no capability and cannot get one', async ({ skip }) => {
    if (!available) skip();
    const status = await caller.text('status');
    expect(status).toMatch(/CapEff:\s+0+\n/);
    expect(status).toMatch(/CapBnd:\s+0+\n/);
    expect(status).toMatch(/NoNewPrivs:\s+1\n/);
  });

  test('run code of its own before the confinement by LD_PRELOAD or BASH_ENV', async ({ skip }) => {
    if (!available) skip();
    const preload = new Caller(
      host.url,
      host.launches.add({ slug: 'preload', env: { LD_PRELOAD: './none.so', BASH_ENV: './x', ENV: './x' } }),
    );
    await preload.open();
    expect(JSON.parse(await preload.text('env'))).toMatchObject({ LD_PRELOAD: './none.so' });
    // The loader complains once for each program that it prepares: only the server itself had the variable.
    const { processes } = await statusOf(host.url);
    const said = processes.find(({ slug }) => slug === 'preload')?.stderrTail ?? [];
    expect(said.filter((line) => line.includes('from LD_PRELOAD'))).toHaveLength(1);
    await preload.end();
  });
});

test('a server whose files lie in /tmp still finds them in its private /tmp', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'patchbay test '));
  try {
    cpSync(FIXTURE, join(directory, 'server.mjs'));
    const moved = new Caller(host.url, host.launches.add({ slug: 'moved', args: [join(directory, 'server.mjs')] }));
    await moved.open();
    expect(await moved.text('echo', { text: 'found' })).toBe('found');
    await moved.end();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('without a sandbox servers run all the same, and the status says what is missing', async () => {
  const plain = await startHost({ sandbox: { tools: null, missing: ['namespaces'] } });
  try {
    const open = new Caller(plain.url, plain.launches.add({ slug: 'plain' }));
    await open.open();
    const env = JSON.parse(await open.text('env')) as Record<string, string>;
    expect(Object.keys(env).sort()).toEqual(['HOME', 'LANG', 'PATH', 'TMPDIR']);
    expect((await statusOf(plain.url)).isolation).toEqual({ available: false, missing: ['namespaces'] });
  } finally {
    await plain.stop();
  }
});
