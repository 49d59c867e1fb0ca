import { existsSync } from 'node:fs';
import { relative, sep } from 'node:path';
import type { EgressPlan } from '../egress/plan.ts';
import type { Limits } from '../limits/limits.ts';
import { CONFINED_SCRIPT, ENTERING_SCRIPT, MOUNT_SCRIPT } from './scripts.ts';

/** What `ulimit -f` counts in. */
const FILE_BLOCK_BYTES = 512;

/** Absolute paths of what the sandbox is made of; `userNamespace` is false where only root may make the other namespaces. */
export type SandboxTools = {
  readonly setpriv: string;
  readonly unshare: string;
  readonly mount: string;
  readonly ip: string;
  readonly sh: string;
  readonly userNamespace: boolean;
};

/** A program to run: `file` and `args` as spawn takes them, `env` complete. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** Directories a confined program knows, all absolute and free of symbolic links, and what it may use. `needed` lists paths it must still see. */
export type Places = {
  readonly home: string;
  readonly scratch: string;
  readonly data: string;
  readonly needed: readonly string[];
  readonly egress: Pick<EgressPlan, 'addresses' | 'hosts'>;
  readonly limits: Pick<Limits, 'diskBytes' | 'openFilesMax' | 'tasksMax'>;
};

/**
 * The same program in its own user, PID, mount, network, IPC and UTS namespaces, without capabilities and with no_new_privs, killed
 * by the kernel when the caller dies. It can write to its data, /tmp and /dev/shm, and reaches no network but a loopback of its own,
 * on which what it may reach is offered.
 */
export function confine(tools: SandboxTools, command: Command, places: Places): Command {
  const { egress, limits } = places;
  const keep = keptInTmp(places.needed);
  const entries = Object.entries(command.env);
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--net', '--ipc', '--uts'];
  if (tools.userNamespace) namespaces.unshift('--user', '--map-root-user');
  return {
    file: tools.setpriv,
    args: [
      ...['--pdeathsig', 'KILL', '--', tools.unshare, ...namespaces, '--', tools.sh, '-c', MOUNT_SCRIPT, 'sh'],
      ...[tools.mount, tools.ip, tools.setpriv, tools.sh, CONFINED_SCRIPT],
      ...[places.scratch, places.home, relative(places.home, places.data), places.data],
      ...[egress.hosts, String(egress.addresses.length), ...egress.addresses],
      ...[String(keep.length), ...keep],
      ...[limits.openFilesMax, Math.floor(limits.diskBytes / FILE_BLOCK_BYTES), limits.tasksMax].map(String),
      ...[String(entries.length), ...entries.map(([name]) => name)],
      ...[command.file, ...command.args],
    ],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      ...Object.fromEntries(entries.map(([, value], index) => [`PB_${index}`, value])),
    },
  };
}

/** The same program, in these control groups from its first instruction on. */
export function entering(entrances: readonly string[], command: Command): Command {
  if (entrances.length === 0) return command;
  const { args, env, file } = command;
  return { file: '/bin/sh', args: ['-c', ENTERING_SCRIPT, 'sh', String(entrances.length), ...entrances, file, ...args], env };
}

/** What must be put back into a private /tmp: the top entries of it that hold a needed path. */
export function keptInTmp(needed: readonly string[]): string[] {
  const tops = needed.filter((path) => path.startsWith('/tmp/')).map((path) => path.split(sep).slice(0, 3).join(sep));
  return [...new Set(tops)].filter((path) => path !== '/tmp/' && existsSync(path));
}
