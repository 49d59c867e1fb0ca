import type { Server } from 'node:http';

/** How often connections are looked at that fell idle after their last answer. */
const SWEEP_EVERY_MS = 50;

export type Drain = {
  /** What is under way this long after the listener was closed is cut. */
  readonly limitMs: number;
  /** How long everything is still taken while `isDraining` is known to whoever asks; not at all when left away. */
  readonly announceMs?: number;
  /** Called when no connection is taken any more: what would last longer than any call is ended here. */
  readonly onClosing?: () => void;
};

/**
 * First the end is announced, and everything taken as before: a connection that waits to be accepted when its listener is closed is
 * lost, whatever was sent on it. Then no new connections are taken, what is under way ends, and each connection is closed as it falls
 * idle. A request that still arrives on a kept connection is served: whoever handles it says `Connection: close` (`isDraining`).
 */
export async function drainServer(server: Server, { limitMs, announceMs = 0, onClosing }: Drain): Promise<void> {
  if (!server.listening) return;
  draining.add(server);
  if (announceMs > 0) await new Promise((resolve) => setTimeout(resolve, announceMs));
  const closed = close(server, limitMs);
  onClosing?.();
  await closed;
}

/** Whether `drainServer` was called for it. */
export function isDraining(server: Server): boolean {
  return draining.has(server);
}

function close(server: Server, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS);
    const cut = setTimeout(() => server.closeAllConnections(), limitMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

const draining = new WeakSet<Server>();
