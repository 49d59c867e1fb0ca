export type StopSignals = {
  /** Aborted when we shall stop. */
  readonly stop: AbortSignal;
  /** Aborted when that shall not take its time any more. */
  readonly hurry: AbortSignal;
};

/** Ctrl-C reaches us from the terminal and from the parent that forwards it: within this time that is one wish. */
const SAME_WISH_MS = 700;

/** SIGINT, SIGTERM, SIGHUP, and, where asked for, the end of our parent: the first stops, a later one hurries. */
export function listenForStop(exitWithParent: boolean): StopSignals {
  const stop = new AbortController();
  const hurry = new AbortController();
  let firstAt = 0;
  const wish = (): void => {
    if (!stop.signal.aborted) {
      firstAt = performance.now();
      stop.abort();
    } else if (performance.now() - firstAt > SAME_WISH_MS) hurry.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, wish);
  // Only a pipe has an end that says something; nothing is ever sent through it.
  if (exitWithParent)
    process.stdin
      .once('end', () => stop.abort())
      .once('error', () => stop.abort())
      .resume();
  return { stop: stop.signal, hurry: hurry.signal };
}
