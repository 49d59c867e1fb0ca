import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainServer } from '@patchbay/telemetry';

/** Longer than the time between two looks of a gateway at `/readyz`. */
const ANNOUNCED_MS = 2_500;
/** By then the last answers are out, which say that their servers were stopped. */
const ANSWERED_MS = 5_000;
const LOOK_EVERY_MS = 50;

/**
 * The end of a host, in order: first it says that it stops, to everybody who asks, and takes nothing new. Connections are closed
 * only after that, because what is sent on one that is being closed may have run or not. Then it waits for what is in flight.
 */
export class Stopping {
  hasBegun = false;
  readonly #drainMs: number;

  constructor(drainMs: number) {
    this.#drainMs = drainMs;
  }

  /** At most `drainMs` until `end` is called, which answers whatever is still open. */
  async drain(server: Server, end: () => Promise<void>): Promise<void> {
    this.hasBegun = true;
    const announcedMs = Math.min(ANNOUNCED_MS, this.#drainMs);
    await unheard(server, announcedMs);
    const leftMs = this.#drainMs - announcedMs;
    const drained = drainServer(server, { limitMs: leftMs + ANSWERED_MS });
    await Promise.race([drained, sleep(leftMs)]);
    await end();
    await drained;
  }
}

/** Until nobody is connected any more, at most for so long. */
async function unheard(server: Server, limitMs: number): Promise<void> {
  const endsAtMs = performance.now() + limitMs;
  while (performance.now() < endsAtMs && (await connections(server)) > 0) await sleep(LOOK_EVERY_MS);
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error === null ? count : 0)));
}
