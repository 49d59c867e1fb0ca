import { HttpConnection } from './http-connection.ts';

export type OpenLoopPlan = {
  readonly port: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
  /** Whole requests in base64, sent in turn. */
  readonly requests: readonly string[];
};

export type OpenLoopResult = {
  /** Milliseconds of each request from the moment at which it was due. */
  readonly latenciesMs: readonly number[];
  /** Answers of HTTP 400 and above, and connections that broke. */
  readonly failed: number;
};

/**
 * Sends requests at moments that were fixed before, however long answers take: one that finds no free connection waits, and its waiting
 * counts, so that a listener that stands still is charged for everybody who would have come meanwhile.
 */
export async function runOpenLoop({ connections, perSecond, port, requests, seconds }: OpenLoopPlan): Promise<OpenLoopResult> {
  const bytes = requests.map((request) => Buffer.from(request, 'base64'));
  const free = Array.from({ length: connections }, () => new HttpConnection(port));
  const all = [...free];
  const due: number[] = [];
  const latenciesMs: number[] = [];
  const total = Math.round(perSecond * seconds);
  const everyMs = 1_000 / perSecond;
  let [sent, failed, made] = [0, 0, 0];
  const done = Promise.withResolvers<void>();
  const startedAt = performance.now();

  function sendNext(connection: HttpConnection, dueAt: number): void {
    connection.send(bytes[sent++ % bytes.length] ?? Buffer.alloc(0), (status) => {
      latenciesMs.push(performance.now() - dueAt);
      if (status === 0 || status >= 400) failed += 1;
      const waiting = due.shift();
      if (waiting === undefined) free.push(connection);
      else sendNext(connection, waiting);
      if (latenciesMs.length === total) done.resolve();
    });
  }

  function tick(): void {
    const now = performance.now();
    while (made < total && startedAt + made * everyMs <= now) {
      const dueAt = startedAt + made++ * everyMs;
      const connection = free.pop();
      if (connection === undefined) due.push(dueAt);
      else sendNext(connection, dueAt);
    }
    // Not in a loop that spins: it would take a core from what is measured. The millisecond that a timer is late by is the same for all.
    if (made < total) setTimeout(tick, 1);
  }

  tick();
  await done.promise;
  for (const connection of all) connection.close();
  return { latenciesMs, failed };
}
