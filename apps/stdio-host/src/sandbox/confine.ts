import { existsSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { CONFINED_SCRIPT, MOUNT_SCRIPT } from './scripts.ts';

/** Absolute paths of what the sandbox is made of; `userNamespace` is false where only root may make the other namespaces. */
export type SandboxTools = {
  readonly setpriv: string;
  readonly unshare: string;
  readonly mount: string;
  readonly sh: string;
  readonly userNamespace: boolean;
};

/** A program to run: `file` and `args` as spawn takes them, `env` complete. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** Directories a confined program knows; all absolute and free of symbolic links. `needed` lists paths it must still see. */
export type Places = {
  readonly home: string;
  readonly scratch: string;
  readonly data: string;
  readonly needed: readonly string[];
};

/**
 * The same program in its own user, PID, mount, IPC and UTS namespaces, without capabilities and with no_new_privs,
 * killed by the kernel when the caller dies. The network is not isolated yet: the program reaches what this machine reaches.
 */
export function confine(tools: SandboxTools, command: Command, places: Places): Command {
  const keep = keptInTmp(places.needed);
  const entries = Object.entries(command.env);
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--ipc', '--uts'];
  if (tools.userNamespace) namespaces.unshift('--user', '--map-root-user');
  return {
    file: tools.setpriv,
    args: [
      ...['--pdeathsig', 'KILL', '--', tools.unshare, ...namespaces, '--', tools.sh, '-c', MOUNT_SCRIPT, 'sh'],
      ...[tools.mount, tools.setpriv, tools.sh, CONFINED_SCRIPT],
      ...[places.scratch, places.home, relative(places.home, places.data), places.data],
      ...[String(keep.length), ...keep],
      ...[String(entries.length), ...entries.map(([name]) => name)],
      ...[command.file, ...command.args],
    ],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      ...Object.fromEntries(entries.map(([, value], index) => [`PB_${index}`, value])),
    },
  };
}

/** What must be put back into a private /tmp: the top entries of it that hold a needed path. */
export function keptInTmp(needed: readonly string[]): string[] {
  const tops = needed.filter((path) => path.startsWith('/tmp/')).map((path) => path.split(sep).slice(0, 3).join(sep));
  return [...new Set(tops)].filter((path) => path !== '/tmp/' && existsSync(path));
}
