import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Environment } from './environments.ts';
import { sizeOf, tailOf } from './log-file.ts';
import type { ProcessRecord } from './leftovers.ts';
import { StartFailure } from './start-failure.ts';

export type OneShot = {
  readonly name: string;
  readonly script: string;
  readonly environment: Environment;
  /** Its stderr goes there. */
  readonly logFile: string;
  /** Handed over on stdin, which stays open: its end means that we are gone. */
  readonly input?: Promise<string>;
  readonly record: ProcessRecord;
  readonly signal: AbortSignal;
};

const OUTPUT_MAX = 1024 * 1024;

/** Runs a program of ours to its end; its stdout. Rejects with a StartFailure that carries what it said when it fails. */
export async function runOnce({ name, script, environment, logFile, input, record, signal }: OneShot): Promise<string> {
  const logStart = sizeOf(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, ['--disable-sigusr1', script], {
    env: environment,
    stdio: ['pipe', 'pipe', log],
    detached: true,
    signal,
  });
  closeSync(log);
  const ended = new Promise<string>((done, failed) => {
    child.once('error', failed);
    child.once('close', (code, killedBy) => done(code === 0 ? '' : `ended with ${code ?? killedBy}`));
  });
  if (child.pid !== undefined) record.started(name, child.pid);
  child.stdin?.on('error', () => undefined);
  void input?.then((line) => child.stdin?.write(`${line}\n`));
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= OUTPUT_MAX) chunks.push(chunk);
  });
  const problem = await ended.finally(() => record.ended(name));
  if (problem !== '') throw new StartFailure(`${name} ${problem} (${logFile}).`, tailOf(logFile, logStart));
  return Buffer.concat(chunks).toString('utf8');
}
