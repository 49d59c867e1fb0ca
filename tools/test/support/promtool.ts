import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ROOT, type Outcome } from './checkout.ts';

/** Where `npm test` puts programs that the machine lacked (scripts/bootstrap.mjs). */
const OWN_BIN = join(ROOT, 'node_modules/.cache/patchbay/bin');

/** Prometheus' own tool. Suites that call it are named `*.promtool.*` (scripts/programs.mjs). */
export function promtool(...args: string[]): Promise<Outcome> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${OWN_BIN}` };
  const child = spawn('promtool', args, { cwd: join(ROOT, 'deploy/prometheus'), env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => done({ code, output }));
  });
}

/** The path of a file with this text, gone when the test ends. */
export function temporaryFile(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'patchbay-promtool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
