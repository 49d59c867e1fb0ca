import { mkdir, realpath } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import type { LaunchSpec } from '@patchbay/contracts';
import type { AddressPolicy } from '@patchbay/egress';
import { refusal, type Refusal } from '@patchbay/errors';
import { EgressGate } from '../egress/gate.ts';
import { planEgress } from '../egress/plan.ts';
import type { Holds } from '../limits/holds.ts';
import { confine, type Command, entering, type Places, type SandboxTools } from '../sandbox/confine.ts';
import { scratchDirectory, type Sandbox } from '../sandbox/probe.ts';
import type { CarrierEvents, OpenCarrier } from './carrier.ts';
import { Child } from './child.ts';
import { findExecutable, isExecutable } from './find-executable.ts';
import type { OrphanGuard } from './orphan-guard.ts';
import { titleOf } from './title-of.ts';
import type { ServerKey } from './server-process.ts';

/** What a launch is made from; `home` is free of symbolic links. */
export type LauncherOptions = {
  readonly home: string;
  readonly path: string;
  readonly sandbox: Sandbox;
  readonly guard: OrphanGuard;
  readonly holds: Holds;
  /** Our own listeners and stores: no server may reach one. */
  readonly refusedAddresses: AddressPolicy['refused'];
  /** Paths of our own installation that a confined server must still see. */
  readonly needed: readonly string[];
};

/** Beside this file's folder, as source or compiled. */
const RELAY = join(import.meta.dirname, '../egress', `relay${extname(import.meta.filename)}`);

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
  if (tools === null) {
    return (events) => {
      const { entrances, hold } = options.holds.prepare(data);
      return new Child({ command: entering(entrances, command), cwd: data, guard: options.guard, hold }, events);
    };
  }
  const needed = [...options.needed, await realpath(file), dirname(file), ...spec.args.filter((arg) => isAbsolute(arg))];
  const places = { home: options.home, scratch: scratchDirectory(options.home), data, needed, limits: options.holds.limits };
  return (events) => openConfined({ command, places, tools, egress: spec.egress }, events, options);
}

type Confining = {
  readonly command: Command;
  readonly places: Omit<Places, 'egress'>;
  readonly tools: SandboxTools;
  readonly egress: LaunchSpec['egress'];
};

/** Where its registration names something to reach, the server is started by a relay that offers it inside. */
function openConfined({ command, egress, places, tools }: Confining, events: CarrierEvents, options: LauncherOptions): Child {
  const plan = planEgress(egress.targets);
  const start = (inside: Command, needed: readonly string[], to: CarrierEvents): Child => {
    const { entrances, hold } = options.holds.prepare(places.data);
    const confined = confine(tools, inside, { ...places, needed, egress: plan });
    return new Child({ command: entering(entrances, confined), cwd: places.data, guard: null, hold }, to);
  };
  if (plan.offers.length === 0) return start(command, places.needed, events);
  const gate = new EgressGate({
    targets: egress.targets,
    policy: { refused: options.refusedAddresses, openings: egress.openings },
    refused: (why) => events.tail.push(Buffer.from(`Patchbay refused ${why}`)),
  });
  const offers = plan.offers.flatMap(({ address, port, target }) => [address, String(port), target]);
  const args = [RELAY, gate.socketPath, ...offers, '--', command.file, ...command.args];
  const onGone: CarrierEvents['onGone'] = (how, killed) => {
    gate.close();
    events.onGone(how, killed);
  };
  try {
    const relayed = { ...command, file: process.execPath, args };
    return start(relayed, [...places.needed, gate.directory], { ...events, onGone });
  } catch (error) {
    gate.close();
    throw error;
  }
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
  return refusal('stdio.start_failed', `${titleOf(spec)}: ${why}.`);
}
