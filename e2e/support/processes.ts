import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type Found = { pid: number; command: string };

/** Every process whose command line, environment or working directory mentions the home: what a stop must not leave behind. */
export function processesOf(home: string): Found[] {
  const found: Found[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    if (command === '' || isZombie(pid)) continue;
    if (command.includes(home) || read(`/proc/${pid}/environ`).includes(home) || link(`/proc/${pid}/cwd`).startsWith(home))
      found.push({ pid, command });
  }
  return found;
}

/** The pids of those whose command line names this program. */
export function pidsOf(home: string, program: string): number[] {
  return processesOf(home)
    .filter(({ command }) => command.includes(program))
    .map(({ pid }) => pid);
}

/** The variables that a process was started with. */
export function environmentOf(pid: number): Record<string, string> {
  const pairs = read(`/proc/${pid}/environ`)
    .split('\0')
    .filter((pair) => pair.includes('='));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** The command line of the process that was started with this variable at this value. */
export function commandWith(variable: string, value: string): string | null {
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const variables = read(`/proc/${entry}/environ`).split('\0');
    if (variables.includes(`${variable}=${value}`) && !isZombie(Number(entry)))
      return read(`/proc/${entry}/cmdline`).replaceAll('\0', ' ').trim();
  }
  return null;
}

function isZombie(pid: number): boolean {
  return /\) Z /.test(read(`/proc/${pid}/stat`));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
