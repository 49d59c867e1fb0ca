import { spawn } from 'node:child_process';

/**
 * A server would outlive a test run that is killed: a small shell waits for our end, then ends the server by `signal` and removes its files.
 * `end` once the server is gone in order.
 */
export function guardAgainstOrphan(pid: number, home: string, signal: 'QUIT' | 'KILL'): { end(): void } {
  const script = 'read -r line; [ "$line" = done ] || { kill -s "$3" "$1"; sleep 1; rm -rf "$2"; }';
  const shell = spawn('/bin/sh', ['-c', script, 'sh', String(pid), home, signal], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  return { end: () => void shell.stdin.end('done\n') };
}
