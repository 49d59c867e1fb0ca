import { mkdir, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { confine, type Command } from '../sandbox/confine.ts';
import { scratchDirectory, type Sandbox } from '../sandbox/probe.ts';
import type { OpenCarrier } from './carrier.ts';
import { Child } from './child.ts';
import { findExecutable, isExecutable } from './find-executable.ts';
import type { OrphanGuard } from './orphan-guard.ts';
import type { ServerKey } from './server-process.ts';

/** What a launch is made from; `home` is free of symbolic links. */
export type LauncherOptions = {
  readonly home: string;
  readonly path: string;
  readonly sandbox: Sandbox;
  readonly guard: OrphanGuard;
  /** Paths of our own installation that a confined server must still see. */
  readonly needed: readonly string[];
};

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Prepares a server's own directory (its cwd and HOME, `PATCHBAY_HOME/stdio/{org}/{server}`, 0700) and its command line.
 * Its environment is what its specification says plus PATH, HOME, LANG and TMPDIR. A bare `node` means the Node that runs us.
 */
export async function prepareLaunch(key: ServerKey, spec: LaunchSpec, options: LauncherOptions): Promise<OpenCarrier | Refusal> {
  const unusable = complaint(spec);
  if (unusable !== null) return startFailed(spec, unusable);
  const data = join(options.home, 'stdio', key.organisationId, key.serverId);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const { tools } = options.sandbox;
  const tmp = tools === null ? join(data, '.tmp') : '/tmp';
  if (tools === null) await mkdir(tmp, { recursive: true, mode: 0o700 });
  const env = { PATH: options.path, LANG: 'C.UTF-8', TMPDIR: tmp, HOME: data, ...spec.env };
  const file = await resolveCommand(spec.command, env.PATH, data);
  if (file === null) return startFailed(spec, `its command "${spec.command}" does not exist, or is not executable`);
  const command: Command = { file, args: spec.args, env };
  if (tools === null) return (events) => new Child({ command, cwd: data, guard: options.guard }, events);
  const needed = [...options.needed, await realpath(file), dirname(file), ...spec.args.filter((arg) => isAbsolute(arg))];
  const places = { home: options.home, scratch: scratchDirectory(options.home), data, needed };
  const confined = confine(tools, command, places);
  return (events) => new Child({ command: confined, cwd: data, guard: null }, events);
}

async function resolveCommand(command: string, path: string, data: string): Promise<string | null> {
  if (command === 'node') return process.execPath;
  if (!/[/\\]/.test(command)) return findExecutable(command, path);
  const file = resolve(data, command);
  return (await isExecutable(file)) ? file : null;
}

function complaint({ command, args, env }: LaunchSpec): string | null {
  const badName = Object.keys(env).find((name) => !VARIABLE_NAME.test(name));
  if (badName !== undefined) return `its variable "${badName}" is not a name of letters, digits and underscores`;
  if ([command, ...args, ...Object.values(env)].some((text) => text.includes('\0'))) return 'its command line or environment has a NUL';
  return null;
}

function startFailed(spec: LaunchSpec, why: string): Refusal {
  return refusal('stdio.start_failed', `Stdio server "${spec.slug}": ${why}.`);
}
