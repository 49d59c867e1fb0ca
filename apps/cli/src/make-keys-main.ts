import { resolve } from 'node:path';
import { ENV } from '@patchbay/contracts/environment';
import { checkPostgresUrl } from '@patchbay/ports';
import { ConfigError, fileOrDirect, readEnv } from '@patchbay/telemetry/config';
import { makeKeys } from './make-keys.ts';
import { readIfThere } from './private-file.ts';
import { openTerminal } from './terminal.ts';

const USAGE = 'usage: npm run keys -- FOLDER';
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;

const check = (text: string): string => {
  checkPostgresUrl(text);
  return text;
};
const ADMIN = fileOrDirect(
  { name: ENV.adminDatabaseUrlFile, direct: ENV.adminDatabaseUrl },
  { load: (path) => check((readIfThere(path) ?? '').trim()), take: (text) => check(text.trim()) },
);

async function main(): Promise<number> {
  const terminal = openTerminal(false);
  const [folder, ...more] = process.argv.slice(2);
  if (folder === undefined || folder.startsWith('-') || more.length > 0) {
    terminal.problem(USAGE);
    return EXIT_USAGE;
  }
  try {
    const { adminUrl } = readEnv({ adminUrl: ADMIN });
    const urls = await makeKeys({ folder: resolve(folder), adminUrl });
    terminal.line(`The keys of the deployment are in ${resolve(folder)}.`);
    for (const path of urls) terminal.line(`Wrote ${path}.`);
    if (adminUrl === null) terminal.line(`No database was prepared: ${ENV.adminDatabaseUrlFile} names no admin's URL.`);
    return 0;
  } catch (error) {
    terminal.problem(`The keys could not be made: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
}

process.exitCode = await main();
