import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const telemetry = new URL('../src/index.ts', import.meta.url).href;

type Ended = { code: number | null; out: string; err: string };

/** Runs a program whose start is `start`; `act` is called when it has written `ready`. */
async function run(start: string, act: (child: ChildProcess) => void = () => undefined, env: Record<string, string> = {}): Promise<Ended> {
  const source = `import { createLogger, ConfigError, runProgram } from '${telemetry}'; const logger = createLogger({ program: 'p' }); let stops = 0; runProgram({ name: 'p', stopDeadlineMs: 500, start: async () => { setInterval(() => {}, 1000); ${start} } });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...env } });
  let [out, err, acted] = ['', '', false];
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (acted || !out.includes('ready')) return;
    acted = true;
    act(child);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

const WELL = `setTimeout(() => console.log('ready'), 50); return { logger, stop: async () => { console.log('stopped ' + ++stops); await new Promise((done) => setTimeout(done, 50)); } };`;

test.each(['SIGTERM', 'SIGINT'] as const)('%s, however often, stops the program once, in order, with status 0', async (signal) => {
  const { code, out } = await run(WELL, (child) => {
    child.kill(signal);
    child.kill(signal);
  });
  expect([code, out.match(/stopped \d/g)]).toEqual([0, ['stopped 1']]);
});

test('the end of its stdin stops a program that was told to go with its parent, and no other', async () => {
  const told = await run(WELL, (child) => child.stdin?.end(), { PATCHBAY_EXIT_WITH_PARENT: '1' });
  expect([told.code, told.out.includes('stopped 1')]).toEqual([0, true]);
  const other = await run(WELL, (child) => {
    child.stdin?.end();
    setTimeout(() => child.kill('SIGKILL'), 300);
  });
  expect([other.code, other.out.includes('stopped')]).toEqual([null, false]);
});

test('a signal during the start stops the program as soon as it has started', async () => {
  const { code, out } = await run(`console.log('ready'); await new Promise((done) => setTimeout(done, 200)); ${WELL}`, (child) =>
    child.kill('SIGTERM'),
  );
  expect([code, out.includes('stopped 1')]).toEqual([0, true]);
});

test.each([
  ['a stop', `setTimeout(() => console.log('ready'), 50); return { logger, stop: () => new Promise(() => {}) };`],
  ['a start', `console.log('ready'); await new Promise(() => {});`],
])('%s that hangs ends at the deadline with status 1', async (_what, start) => {
  expect((await run(start, (child) => child.kill('SIGTERM'))).code).toBe(1);
});

test('unusable settings end with status 78 and one line that names the variable', async () => {
  const { code, out, err } = await run(`throw new ConfigError('PATCHBAY_X', 'must be set');`);
  expect([code, out, err]).toEqual([78, '', 'p cannot start: PATCHBAY_X must be set\n']);
});

test('any other failed start ends with status 1 and one line', async () => {
  const { code, err } = await run(`throw new Error('no database\\nhere');`);
  expect([code, err]).toEqual([1, 'p cannot start: no database\\u{a}here\n']);
});

test.each(['throw new Error("lost")', 'Promise.reject(new Error("lost"))'])(
  'an uncaught fault is logged once and ends with status 1: %s',
  async (fault) => {
    const { code, out } = await run(`setTimeout(() => { ${fault} }, 50); return { logger, stop: async () => {} };`);
    expect([code, out.match(/"level":60/g)?.length]).toEqual([1, 1]);
  },
);
