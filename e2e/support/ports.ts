import { createServer } from 'node:net';

/** Below what the kernel hands to outgoing connections: a port from here is still free after its listener has closed for a while. */
const RANGE = { from: 12_000, to: 32_000 };
const taken = new Set<number>();

/** A loopback port that stays ours for as long as this process lives, whether or not somebody listens on it at the moment. */
export async function reservePort(): Promise<number> {
  for (;;) {
    const port = RANGE.from + Math.floor(Math.random() * (RANGE.to - RANGE.from));
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
