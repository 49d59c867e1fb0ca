import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENV } from '@patchbay/contracts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { LaunchServer, makeHome, processesMarked, SECRET, until } from './support/harness.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const OWN_SECRET = 'the-secret-of-this-host';

let home: string;
let launches: LaunchServer;
let env: Record<string, string>;
const started: ChildProcess[] = [];
beforeEach(async () => {
  home = makeHome();
  launches = await new LaunchServer().start();
  const files = { [ENV.toStdioHostSecretFile]: SECRET, [ENV.stdioHostSecretFile]: OWN_SECRET };
  env = {
    PATH: process.env['PATH'] ?? '',
    [ENV.home]: home,
    [ENV.controlPlaneInternalUrl]: launches.url,
    [ENV.stdioHostPort]: String(await freePort()),
  };
  for (const [name, secret] of Object.entries(files)) {
    env[name] = join(home, 'keys', `${name}.secret`);
    writeFileSync(env[name], `${secret}\n`, { mode: 0o600 });
  }
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await launches.stop();
  rmSync(home, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function run(more: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--conditions=patchbay-source', MAIN], {
    env: { ...env, ...more },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  started.push(child);
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()));
  const url = `http://127.0.0.1:${env[ENV.stdioHostPort]}`;
  const live = () =>
    fetch(`${url}/livez`).then(
      ({ ok }) => ok,
      () => false,
    );
  return { child, said, url, live, ended: once(child, 'exit') };
}

for (const [how, end] of [
  ['SIGTERM', (program: ReturnType<typeof run>) => program.child.kill('SIGTERM')],
  ['the end of its supervisor', (program: ReturnType<typeof run>) => program.child.stdin.end()],
] as const) {
  test(`the program serves with its own secrets and ends in order on ${how}, leaving no server`, async () => {
    const program = run({ [ENV.exitWithParent]: '1' });
    await until('it is live', program.live);
    const mark = `mark-program-${how.length}-${process.pid}`;
    const caller = new Caller(program.url, launches.add({ slug: 'real', env: { MARK: mark } }));
    await caller.open();
    const hanging = caller.call('hang', {}, { id: 'hanging' });
    expect(await caller.text('env')).not.toContain('PATCHBAY_HOME');
    expect(launches.asked[0]).toContain(`Bearer ${OWN_SECRET}`);
    end(program);
    expect(await program.ended).toEqual([0, null]);
    expect((await hanging).messages[0]?.error?.message).toContain('"real" was stopped');
    expect(processesMarked(mark)).toEqual([]);
    expect(program.said.out).not.toContain(SECRET);
    expect(program.said.out).not.toContain(OWN_SECRET);
  });
}

test('an unusable setting ends the start with one line that names the variable', async () => {
  const bad = { [ENV.stdioProcessesMax]: 'many', [ENV.stdioIdleMs]: '-1', [ENV.home]: '', [ENV.toStdioHostSecretFile]: '/no/such/file' };
  for (const [name, value] of Object.entries(bad)) {
    const program = run({ [name]: value });
    expect(await program.ended).toEqual([78, null]);
    expect(program.said.err).toContain(name);
  }
});
