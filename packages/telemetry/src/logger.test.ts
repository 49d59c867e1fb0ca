import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { createLogger, type Logger } from './logger.ts';

type Line = Record<string, unknown> & { msg?: string };

function recording(): { log: Logger; lines: () => Line[]; text: () => string } {
  let written = '';
  const log = createLogger({ program: 'test', level: 'info', destination: { write: (line) => void (written += line) } });
  return {
    log,
    text: () => written,
    lines: () =>
      written
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line),
  };
}

const bearer = ['pbpat', 'Abc123xyz'].join('_');

test('a line says when, how bad, which process of which machine, and what: operators build on these names', () => {
  const { log, lines } = recording();
  log.warn({ organisationId: 'o', err: new TypeError('no answer') }, 'a port failed');
  expect(lines()).toEqual([
    {
      level: 40,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      program: 'test',
      host: hostname(),
      pid: process.pid,
      organisationId: 'o',
      err: expect.objectContaining({ type: 'TypeError', message: 'no answer', stack: expect.any(String) }),
      msg: 'a port failed',
    },
  ]);
});

test('fields that hold secrets are masked by name at every depth', () => {
  const { log, text, lines } = recording();
  const secrets = {
    authorization: 's3cr3t',
    'Set-Cookie': ['s3cr3t'],
    apiToken: 's3cr3t',
    client_secret: 's3cr3t',
    'x-api-key': 's3cr3t',
    password: { a: 's3cr3t' },
  };
  log.info({ ...secrets, deep: { list: [{ token: 's3cr3t' }] }, tokenId: 'shown' }, 'a call');
  log.child({ adminPassword: 's3cr3t' }).info('again');
  expect(text()).not.toContain('s3cr3t');
  expect(lines()[0]).toMatchObject({ tokenId: 'shown', authorization: '[redacted]', msg: 'a call', program: 'test' });
});

test('environment and headers keep their names and lose their values', () => {
  const { log, lines } = recording();
  log.info({ env: { PATH: '/bin' }, server: { headers: new Headers({ accept: 'x' }) } });
  expect(lines()[0]).toMatchObject({ env: { PATH: '[redacted]' }, server: { headers: { accept: '[redacted]' } } });
});

test('a bearer of ours is masked wherever it stands', () => {
  const { log, text } = recording();
  log.info(
    { url: `http://x/?t=${bearer}`, [bearer]: 1, err: new Error(`bad ${bearer}`, { cause: new Error(`because ${bearer}`) }) },
    `saw ${bearer}`,
  );
  log.error(new Error(`bad ${bearer}`));
  log.warn(`saw ${bearer} at postgres://owner:hunter2@db/x`);
  for (const secret of ['Abc123xyz', 'hunter2']) expect(text()).not.toContain(secret);
  expect(text()).toContain('because');
});

test('text of an upstream cannot steer a terminal or forge a line', () => {
  const { log, lines } = recording();
  log.info({ name: 'a\u001b[31m\u202e\u200b\n{"level":60}', err: new Error('x\u009b2J') }, 'said \u001b]0;title\u0007');
  const shown = JSON.stringify(lines()[0], (key, value: unknown) => (key === 'stack' ? undefined : value));
  expect(lines().length).toBe(1);
  expect(lines()[0]?.['name']).toBe('a\\u{1b}[31m\\u{202e}\\u{200b}\\u{a}{"level":60}');
  expect(lines()[0]?.msg).toBe('said \\u{1b}]0;title\\u{7}');
  expect(shown).toContain('x\\\\u{9b}2J');
});

test('cyclic and enormous fields are cut, not fatal', () => {
  const { log, lines } = recording();
  const cyclic: Record<string, unknown> = { list: Array.from({ length: 10_000 }, (_, at) => at) };
  cyclic['self'] = cyclic;
  const error = new Error('loop');
  error.cause = error;
  log.info({ cyclic, err: error });
  expect(JSON.stringify(lines()[0]).length).toBeLessThan(20_000);
});

test('below its level nothing is written', () => {
  const { log, text } = recording();
  log.debug({ a: 1 }, 'quiet');
  expect(text()).toBe('');
});
