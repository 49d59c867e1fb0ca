import { spawn, type ChildProcess } from 'node:child_process';

/** Kills what is still listed when its stdin ends, which is when we are gone, however that came about. */
const GUARD_SCRIPT = `
groups=' '
while read -r op group; do
  case $op in
    +) groups="$groups$group " ;;
    -) groups=\${groups%%" $group "*}" "\${groups#*" $group "} ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
`;

/** Where the kernel cannot end servers with us (no PID namespace): a small shell in its own session that outlives us for a moment. */
export class OrphanGuard {
  #shell: ChildProcess | null = null;

  watch(group: number): void {
    this.#shell ??= this.#start();
    this.#shell?.stdin?.write(`+ ${group}\n`);
  }

  release(group: number): void {
    this.#shell?.stdin?.write(`- ${group}\n`);
  }

  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = null;
  }

  #start(): ChildProcess | null {
    if (process.platform === 'win32') return null;
    const shell = spawn('/bin/sh', ['-c', GUARD_SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {}, cwd: '/' });
    shell.on('error', () => (this.#shell = null));
    shell.on('exit', () => (this.#shell = null));
    shell.stdin?.on('error', () => undefined);
    return shell;
  }
}
