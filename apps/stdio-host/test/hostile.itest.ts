import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import {
  type HostOverrides,
  type LIMITS,
  ORGANISATION,
  processesMarked,
  startHost,
  statusOf,
  type TestHost,
  until,
} from './support/harness.ts';

const MIB = 1024 * 1024;
const SECRET_OF_OURS = 'of-the-host-alone-4711';

let host: TestHost;
let hostile: Caller;
let available = false;
beforeAll(async () => {
  process.env['PATCHBAY_TEST_OF_OURS'] = SECRET_OF_OURS;
  host = await startHost();
  available = (await statusOf(host.url)).isolation.available;
  writeFileSync(join(host.home, 'bootstrap.json'), '{"token":"pbp_bootstrap"}');
  hostile = new Caller(host.url, host.launches.add({ slug: 'hostile' }));
  await hostile.open();
});
afterAll(() => host.stop());

const attack = (code: string, caller = hostile) => caller.text('attack', { code });

/** Every file under these directories that it can open for writing, or that appears where it can make one. */
const WRITABLE = `
  const { accessSync, constants, openSync, closeSync, writeFileSync } = require('fs');
  const can = (open) => { try { open(); return true; } catch { return false; } };
  return JSON.stringify(PATHS.filter((path) => can(() => closeSync(openSync(path, 'r+')))).concat(
    DIRECTORIES.filter((directory) => can(() => writeFileSync(directory + '/patchbay-was-here', 'x')))));
`;

describe('a hostile server cannot', () => {
  test('find our keys or bootstrap.json, by whatever way, nor a secret in any environment', async ({ skip }) => {
    if (!available) skip();
    const code = `
      const { readFileSync, readdirSync } = require('fs');
      const text = (path) => { try { return readFileSync(path, 'latin1'); } catch { return ''; } };
      const roots = ['', '/proc/1/root', '/proc/self/root', '/proc/1/cwd', '/proc/self/cwd/../../../..'];
      const files = roots.flatMap((root) => FILES.map((file) => text(root + file)));
      const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
      return [...files, ...pids.flatMap((pid) => [text('/proc/' + pid + '/environ'), text('/proc/' + pid + '/cmdline')])].join('');
    `.replace('FILES', JSON.stringify(['bootstrap.json', 'keys/master.key'].map((file) => join(host.home, file))));
    const found = await attack(code);
    expect(found, 'it finds its own environment').toContain('PATH=');
    for (const secret of ['pbp_bootstrap', 'MASTER-KEY-BYTES', SECRET_OF_OURS]) expect(found).not.toContain(secret);
  });

  test('write to anything but its own directory and its private temporary ones', async ({ skip }) => {
    if (!available) skip();
    const disks = readdirSync('/dev').filter((name) => /^(vd|sd|nvme|mem$|kmsg$|port$)/.test(name));
    const paths = [
      '/proc/sys/kernel/core_pattern',
      '/proc/sysrq-trigger',
      '/proc/self/oom_score_adj',
      ...disks.map((name) => `/dev/${name}`),
      process.execPath,
    ];
    const directories = ['/', '/etc', '/usr/bin', '/var/tmp', '/root', '/dev', '/run', '/sys/fs/cgroup', import.meta.dirname, host.home];
    const code = WRITABLE.replace('PATHS', JSON.stringify(paths)).replace('DIRECTORIES', JSON.stringify(directories));
    expect(JSON.parse(await attack(code))).toEqual([]);
    expect(
      JSON.parse(await attack(WRITABLE.replace('PATHS', '[]').replace('DIRECTORIES', `['/tmp', '/dev/shm', process.cwd()]`))),
    ).toHaveLength(3);
    // Nor make it so in a namespace of its own, in which it is root again.
    const remounted = await attack(`
      const { spawnSync } = require('child_process');
      const { stdout } = spawnSync('unshare', ['-Urm', 'sh', '-c', 'mount -o remount,bind,rw / && : > /patchbay-was-here && echo done'], { encoding: 'utf8' });
      return '[' + stdout + ']';
    `);
    expect(remounted).toBe('[]');
  });

  test('reach a listener on loopback, on this machine’s addresses or on a socket file, or the metadata service', async ({ skip }) => {
    if (!available) skip();
    const tcp = await listening(
      createServer((socket) => socket.end('reached')),
      { port: 0, host: '0.0.0.0' },
    );
    const path = join(tmpdir(), `patchbay-hostile-${process.pid}.sock`);
    const unix = await listening(
      createServer((socket) => socket.end('reached')),
      { path },
    );
    const { port } = tcp.address() as { port: number };
    const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
    const targets = [
      ...['127.0.0.1', 'localhost', '::1', '0.0.0.0', ...own].flatMap((name) =>
        [port, host.host.port].map((at) => ({ host: name, port: at })),
      ),
      ...[80, 443].map((at) => ({ host: '169.254.169.254', port: at })),
      { path },
      { path: '/run/postgresql/.s.PGSQL.5432' },
      { path: '/var/run/docker.sock' },
    ];
    const code = `
      const { connect } = require('net');
      const reach = (target) => new Promise((resolve) => {
        const socket = connect({ ...target, timeout: 2000 });
        for (const end of ['error', 'timeout']) socket.on(end, () => (socket.destroy(), resolve(null)));
        socket.on('connect', () => (socket.destroy(), resolve(target)));
      });
      return JSON.stringify((await Promise.all(${JSON.stringify(targets)}.map(reach))).filter(Boolean));
    `;
    try {
      expect(JSON.parse(await attack(code))).toEqual([]);
    } finally {
      await Promise.all([tcp, unix].map((server) => new Promise((done) => server.close(done))));
    }
  });

  test('signal a process that is not its own, whatever pid it tries', async ({ skip }) => {
    if (!available) skip();
    const machine = readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 2_000);
    const code = `
      const { readdirSync } = require('fs');
      const own = new Set(readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number));
      const reached = [];
      for (const pid of PIDS) {
        if (own.has(pid)) continue;
        try { process.kill(pid, 0); reached.push(pid); } catch {}
      }
      return JSON.stringify({ reached, own: own.size });
    `.replace('PIDS', JSON.stringify([...machine, ...Array.from({ length: 2_000 }, (_, pid) => pid + 1)]));
    const { own, reached } = JSON.parse(await attack(code)) as { reached: number[]; own: number };
    // Threads of its own processes answer to signals as well, under small numbers.
    expect(machine.length).toBeGreaterThan(0);
    expect(reached.filter((pid) => pid > 2_000)).toEqual([]);
    expect(own).toBeLessThan(10);
    const killing = new Caller(host.url, host.launches.add({ slug: 'killing' }));
    await killing.open();
    await killing.call('attack', { code: "process.kill(-1, 'SIGKILL'); return 'sent';" });
    expect(await hostile.text('echo', { text: 'alive' })).toBe('alive');
  });
});

describe.each<[string, HostOverrides]>([
  ['held by the kernel', {}],
  ['watched', { cgroups: null }],
])('a server that takes too much, %s,', (how, overrides) => {
  async function withHost(
    limits: Partial<typeof LIMITS>,
    run: (greedy: Caller, bystander: Caller, its: TestHost) => Promise<void>,
  ): Promise<void> {
    const its = await startHost({ ...overrides, limits });
    try {
      const mark = { MARK: `mark-greedy-${how}-${process.pid}` };
      const [greedy, bystander] = ['greedy', 'bystander'].map(
        (slug) => new Caller(its.url, its.launches.add({ slug, ...(slug === 'greedy' ? { env: mark } : {}) })),
      );
      if (greedy === undefined || bystander === undefined) throw new Error('there are two');
      await greedy.open();
      await bystander.open();
      await run(greedy, bystander, its);
      await greedy.end();
      await until('nothing is left of it', () => processesMarked(mark.MARK).length === 0, 15_000);
    } finally {
      await its.stop();
    }
  }

  test('of memory is ended, and its caller is told why', () =>
    withHost({ memoryBytes: 128 * MIB }, async (greedy, bystander) => {
      const { messages } = await greedy.call('attack', {
        code: 'const all = []; for (;;) { all.push(Buffer.alloc(8388608, 1)); await new Promise((r) => setTimeout(r, 20)); }',
      });
      expect(messages.at(-1)?.error).toMatchObject({ code: -31502, message: expect.stringContaining('more than 128 MiB of memory') });
      expect(await bystander.text('echo', { text: 'unharmed' })).toBe('unharmed');
    }));

  // Only the kernel can hold a bomb: by the time somebody looks it has thousands of processes, and whatever else runs here stands still.
  const crowd = how === 'watched' ? 'for i in $(seq 150); do sleep 30 & done; wait' : 'b() { b | b & }; b; sleep 5';

  test('of processes gets no more of them, and others go on', () =>
    withHost({ tasksMax: 64, cpus: 0.5 }, async (greedy, bystander, its) => {
      const taking = greedy.call('attack', {
        code: `require('child_process').spawn('sh', ['-c', '${crowd}'], { stdio: 'ignore' }); await new Promise((r) => setTimeout(r, 3000)); return 'survived';`,
      });
      for (let round = 0; round < 10; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        expect(await bystander.text('echo', { text: 'unharmed' })).toBe('unharmed');
      }
      await taking;
      // Where nothing stops it at once, it has been ended by now.
      const left = (await statusOf(its.url)).processes.map(({ slug }) => slug);
      if (how === 'watched') expect(left).toEqual(['bystander']);
      expect(processesMarked(`mark-greedy-${how}-${process.pid}`).length).toBeLessThanOrEqual(64);
    }));

  test('of the disk is ended before much is gone, and cannot write one file that large', () =>
    withHost({ diskBytes: 32 * MIB }, async (greedy, bystander, its) => {
      expect(
        await greedy.text('attack', { code: "require('fs').writeFileSync('one', Buffer.alloc(33 * 1048576)); return 'written';" }),
      ).toBe('EFBIG');
      const { messages } = await greedy.call('attack', {
        code: "for (let n = 0; ; n += 1) { require('fs').writeFileSync('f' + n, Buffer.alloc(1048576)); await new Promise((r) => setTimeout(r, 10)); }",
      });
      expect(messages.at(-1)?.error).toMatchObject({ code: -31502, message: expect.stringContaining('more than 32 MiB in its directory') });
      const data = join(its.home, 'stdio', ORGANISATION, greedy.serverId);
      const bytes = readdirSync(data).reduce((sum, name) => sum + statSync(join(data, name)).size, 0);
      expect(bytes).toBeLessThan(1024 * MIB);
      expect(await bystander.text('echo', { text: 'unharmed' })).toBe('unharmed');
    }));

  test('of processor time waits for its share: all that it starts is in a group with a quota', async ({ skip }) => {
    if (how === 'watched') skip('the kernel alone can make it wait');
    await withHost({ cpus: 0.4 }, async (greedy) => {
      await greedy.text('grandchild', { detached: true });
      const path = /^\d+:(?:cpu|cpu,cpuacct):(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
      const parent = join('/sys/fs/cgroup/cpu', path);
      // Groups of the hosts before this one go when the kernel has let go of what was in them, perhaps just now.
      const read = (name: string, file: string): string =>
        existsSync(join(parent, name, file)) ? readFileSync(join(parent, name, file), 'utf8') : '';
      const groups = readdirSync(parent).filter((name) => name.startsWith(`patchbay-${process.pid}-`));
      const ours = groups.filter((name) => read(name, 'cpu.cfs_quota_us').trim() === '40000');
      const held = ours.flatMap((name) => read(name, 'cgroup.procs').split('\n').map(Number));
      const its = processesMarked(`mark-greedy-${how}-${process.pid}`);
      expect(its.length).toBeGreaterThanOrEqual(2);
      expect(held).toEqual(expect.arrayContaining(its));
    });
  });

  test('of files gets an error of the system', () =>
    withHost({ openFilesMax: 128 }, async (greedy) => {
      const code = "const { openSync } = require('fs'); for (;;) openSync('/dev/null');";
      expect(await greedy.text('attack', { code })).toBe('EMFILE');
    }));
});

function listening(server: Server, where: { port: number; host: string } | { path: string }): Promise<Server> {
  return new Promise((ready, failed) => server.once('error', failed).listen(where, () => ready(server)));
}
