import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const LISTENING = '0A';

/** `name (process 123)` of whoever listens on the port, where Linux lets us see it; else null. */
export function holderOf(port: number): string | null {
  try {
    const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => inodesOf(table, port)));
    const pid = sockets.size === 0 ? undefined : readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && holdsOne(entry, sockets));
    return pid === undefined ? null : `${basename(readlinkSync(`/proc/${pid}/exe`))} (process ${pid})`;
  } catch {
    return null;
  }
}

function inodesOf(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync(table, 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === LISTENING && local?.endsWith(`:${hexPort}`))
    .map((fields) => `socket:[${fields[9]}]`);
}

function holdsOne(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
