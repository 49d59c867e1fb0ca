import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

export type Outcome = { code: number | null; output: string };

/** A small checkout in a temporary folder, removed when the test ends. */
export type Checkout = {
  readonly root: string;
  write(files: Readonly<Record<string, string>>): void;
  /** Runs a program of the real checkout (or one named by its absolute path) with this one as its working directory. */
  run(script: string, ...args: string[]): Promise<Outcome>;
};

/** Makes one from the named files and folders of the real checkout, with its installed packages linked in when `installed`. */
export function makeCheckout({ copied, installed }: { copied: readonly string[]; installed: boolean }): Checkout {
  const root = mkdtempSync(join(tmpdir(), 'patchbay-checks-'));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true });
  });
  for (const path of copied) cpSync(join(ROOT, path), join(root, path), { recursive: true });
  if (installed) symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return {
    root,
    write(files) {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      }
    },
    run: (script, ...args) => runProgram(root, resolve(ROOT, script), args),
  };
}

function runProgram(cwd: string, script: string, args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, NO_COLOR: '1', PATH: `${join(ROOT, 'tools/node_modules/.bin')}:${process.env['PATH']}` };
  const child = spawn(process.execPath, [script, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => done({ code, output }));
  });
}
