import { parseArgs } from 'node:util';
import { readConfig, type Config } from './config.ts';
import { StartFailure } from './start-failure.ts';
import { listenForStop } from './stop-signals.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { up } from './up.ts';

const USAGE = 'usage: patchbay up [--print-secrets]';
const EXIT_USAGE = 64;
/** EX_CONFIG of sysexits.h: somebody has to change the settings. */
const EXIT_CONFIG = 78;

async function main(): Promise<number> {
  const given = readArguments();
  const terminal = openTerminal(given?.printSecrets === true);
  if (given === null) {
    terminal.problem(USAGE);
    return EXIT_USAGE;
  }
  let config: Config;
  try {
    config = readConfig();
  } catch (error) {
    terminal.problem(describe(error));
    return EXIT_CONFIG;
  }
  try {
    await up(config, terminal, listenForStop(config.exitWithParent));
    return 0;
  } catch (error) {
    report(error, terminal);
    return 1;
  }
}

function readArguments(): { printSecrets: boolean } | null {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { 'print-secrets': { type: 'boolean', default: false } },
    });
    return positionals.length === 1 && positionals[0] === 'up' ? { printSecrets: values['print-secrets'] } : null;
  } catch {
    return null;
  }
}

function report(error: unknown, terminal: Terminal): void {
  if (error instanceof StartFailure && error.output !== null && error.output !== '') terminal.foreign(error.output);
  terminal.problem(describe(error));
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exit(await main());
