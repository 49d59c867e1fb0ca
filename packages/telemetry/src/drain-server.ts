import type { Server } from 'node:http';

/** How often connections are looked at that fell idle after their last answer. */
const SWEEP_EVERY_MS = 50;

/**
 * Takes no new connections, lets what is under way end, and closes each connection as it falls idle. What is left after `limitMs` is
 * cut. A request that still arrives on a kept connection is served: whoever handles it says `Connection: close` (`isDraining`).
 */
export function drainServer(server: Server, limitMs: number): Promise<void> {
  if (!server.listening) return Promise.resolve();
  draining.add(server);
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

/** Whether `drainServer` was called for it. */
export function isDraining(server: Server): boolean {
  return draining.has(server);
}

const draining = new WeakSet<Server>();
