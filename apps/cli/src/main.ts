import { parseArgs } from 'node:util';
import { ConfigError } from '@patchbay/telemetry/config';
import { listenForStop } from './stop-signals.ts';
import { StartFailure } from './start-failure.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const USAGE = 'usage: patchbay up [--print-secrets] | patchbay connect [URL] [--server SLUG]';
const EXIT_USAGE = 64;
/** EX_CONFIG of sysexits.h: somebody has to change the settings. */
const EXIT_CONFIG = 78;

// Each command loads its own code alone: one stays for weeks, the other is started by each client.
const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = { up: runUp, connect: runConnect };

function main(): Promise<number> {
  const [command = '', ...args] = process.argv.slice(2);
  const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  return run === undefined ? Promise.resolve(refuseUsage(null)) : run(args);
}

async function runUp(args: string[]): Promise<number> {
  const given = readUpArguments(args);
  if (given === null) return refuseUsage(null);
  const terminal = openTerminal(given.printSecrets);
  const [{ readConfig }, { up }] = await Promise.all([import('./config.ts'), import('./up.ts')]);
  try {
    const config = readConfig();
    await up(config, terminal, listenForStop(config.exitWithParent));
    return 0;
  } catch (error) {
    report(error, terminal);
    return error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
}

function readUpArguments(args: string[]): { printSecrets: boolean } | null {
  try {
    const { values } = parseArgs({ args, options: { 'print-secrets': { type: 'boolean', default: false } } });
    return { printSecrets: values['print-secrets'] };
  } catch {
    return null;
  }
}

/** stdout carries the protocol alone: everything else goes to stderr. */
async function runConnect(args: string[]): Promise<number> {
  const { problem } = openTerminal(false);
  const [{ readConnectConfig, UsageError }, { connect }] = await Promise.all([
    import('./connect/config.ts'),
    import('./connect/connect.ts'),
  ]);
  try {
    await connect(readConnectConfig(args), { input: process.stdin, output: process.stdout, problem }, listenForStop(false).stop);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) return refuseUsage(error.message);
    problem(describe(error));
    return error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
}

function refuseUsage(problem: string | null): number {
  const terminal = openTerminal(false);
  if (problem !== null) terminal.problem(problem);
  terminal.problem(USAGE);
  return EXIT_USAGE;
}

function report(error: unknown, terminal: Terminal): void {
  if (error instanceof StartFailure && error.output !== null && error.output !== '') terminal.foreign(error.output);
  terminal.problem(describe(error));
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exit(await main());
