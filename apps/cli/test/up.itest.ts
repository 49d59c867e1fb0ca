import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const PROGRAM = join(import.meta.dirname, '../dist/main.js');

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'patchbay-up-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

type Outcome = { readonly code: number | null; readonly output: string };

/** Runs the supervisor to its end; `during` sees its output as it grows and may stop it. */
async function run(
  args: readonly string[],
  env: Record<string, string>,
  during: (output: string, stop: () => void) => void = () => undefined,
): Promise<Outcome> {
  const [api, gateway, admin] = await Promise.all([freePort(), freePort(), freePort()]);
  const ports = { PATCHBAY_API_PORT: `${api}`, PATCHBAY_GATEWAY_PORT: `${gateway}`, PATCHBAY_ADMIN_PORT: `${admin}` };
  const child = spawn(process.execPath, ['--disable-sigusr1', PROGRAM, ...args], {
    env: { PATH: process.env['PATH'] ?? '', PATCHBAY_HOME: home, ...ports, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  const append = (chunk: Buffer): void => {
    output += chunk.toString();
    during(output, () => child.kill('SIGTERM'));
  };
  child.stdout.on('data', append);
  child.stderr.on('data', append);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, output };
}

test('an unknown command or option is answered with the usage, and nothing is made', async () => {
  for (const args of [[], ['down'], ['up', '--nonsense'], ['up', 'twice']]) {
    const { code, output } = await run(args, {});
    expect(code, args.join(' ')).toBe(64);
    expect(output).toContain('usage: patchbay up');
  }
  expect(existsSync(join(home, 'keys'))).toBe(false);
});

test('a setting that a program refuses ends the start with what the program said, and leaves no database running', async () => {
  const { code, output } = await run(['up'], { PATCHBAY_STDIO: 'sometimes' });
  expect(code).toBe(1);
  expect(output).toContain('PATCHBAY_STDIO');
  expect(output).toContain('The control plane cannot start: exit 78');
  expect(existsSync(join(home, 'postgres/postmaster.pid'))).toBe(false);
  expect(existsSync(join(home, 'bootstrap.json'))).toBe(false);
});

test('a stop in the middle of the first start is clean, and the next start goes on from there', async () => {
  const first = await run(['up'], {}, (output, stop) => {
    if (output.includes('Starting Postgres')) stop();
  });
  expect(first.code).toBe(0);
  expect(first.output).toContain('Stopped.');
  expect(existsSync(join(home, 'postgres/postmaster.pid'))).toBe(false);
  const second = await run(['up', '--print-secrets'], {}, (output, stop) => {
    if (output.includes('Patchbay is ready')) stop();
  });
  expect(second.code).toBe(0);
  expect(second.output).toMatch(/Authorization: Bearer pbpat_/);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
