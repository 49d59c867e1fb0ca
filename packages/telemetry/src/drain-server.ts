import type { Server } from 'node:http';

/** How often connections are looked at that fell idle after their last answer. */
const SWEEP_EVERY_MS = 50;
/** What is said last takes a moment to be sent. */
const LAST_WORDS_MS = 500;

export type Drain = {
  /** What is under way this long after the listener was closed is cut. */
  readonly limitMs: number;
  /** How long everything is still taken while `isDraining` is known to whoever asks; not at all when left away. */
  readonly announceMs?: number;
  /** Called when no connection is taken any more: what would last longer than any call is ended here. */
  readonly onClosing?: () => void;
  /** Called shortly before the cut: who still waits for something can be told. */
  readonly onCutting?: () => void;
};

/**
 * First the end is announced, and everything taken as before: a connection that waits to be accepted when its listener is closed is
 * lost, whatever was sent on it. Then no new connections are taken, what is under way ends, and each connection is closed as it falls
 * idle. A request that still arrives on a kept connection is served: whoever handles it says `Connection: close` (`isDraining`).
 */
export async function drainServer(server: Server, { limitMs, announceMs = 0, onClosing, onCutting }: Drain): Promise<void> {
  if (!server.listening) return;
  draining.add(server);
  if (announceMs > 0) await new Promise((resolve) => setTimeout(resolve, announceMs));
  const closed = close(server, limitMs, onCutting);
  onClosing?.();
  await closed;
}

/** Whether `drainServer` was called for it. */
export function isDraining(server: Server): boolean {
  return draining.has(server);
}

function close(server: Server, limitMs: number, onCutting: Drain['onCutting']): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS);
    const lastWords = setTimeout(() => onCutting?.(), Math.max(0, limitMs - LAST_WORDS_MS));
    const cut = setTimeout(() => server.closeAllConnections(), limitMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(lastWords);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

const draining = new WeakSet<Server>();
