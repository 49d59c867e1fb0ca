import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { reservePort } from '../../e2e/support/ports.ts';
import { until } from '../../e2e/support/until.ts';

/** A process that the benchmark started, and that ends with it. */
export type Child = { readonly pid: number; readonly logFile: string; end(): Promise<void> };

export type ChildOptions = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Its output goes to a file in there. */
  readonly folder: string;
};

const ROOT = join(import.meta.dirname, '../..');
const KILL_AFTER_MS = 15_000;

/** Starts it. All of ours end when their stdin closes, so that none outlives a benchmark that is killed. */
export function startChild({ args, command, env = {}, folder, name }: ChildOptions): Child {
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: folder, ...env },
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  child.stdin?.on('error', () => undefined);
  child.on('error', () => undefined);
  if (child.pid === undefined) throw new Error(`${command} could not be started`);
  return { pid: child.pid, logFile, end: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  child.stdin?.end();
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await gone;
  clearTimeout(timer);
}

/** One of bench/programs on the project's own Node, once it listens; it is told its port first. */
export async function startProgram(
  folder: string,
  name: string,
  { args, nodeOptions }: { readonly args: readonly (string | number)[]; readonly nodeOptions: readonly string[] },
): Promise<Child & { readonly port: number }> {
  const port = await reservePort();
  const script = join(import.meta.dirname, '../programs', `${name}.ts`);
  const child = startChild({
    name: `${name}-${port}`,
    command: process.execPath,
    args: [...nodeOptions, script, String(port), ...args.map(String)],
    folder,
  });
  await listens(child, port);
  return { ...child, port };
}

/** Resolves when somebody takes connections there. */
export async function listens(child: Child, port: number): Promise<void> {
  await until(() => isTaken(port), { what: `a listener on ${port}` }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${tailOf(child)}`);
  });
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** The end of what a child wrote. */
export function tailOf({ logFile }: Child): string {
  return readFileSync(logFile, 'utf8').slice(-4_096);
}
