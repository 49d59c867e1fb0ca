/** What one attempt came to: `again` may succeed in a moment, `stop` will not. */
export type Attempt = 'again' | 'stop';

/** Runs attempts one at a time: at once when kicked, then after growing pauses while they say `again`. */
export type Refresher = {
  /** Something new is known: an attempt under way is followed by another one at once. */
  kick(): void;
  /** Resolves when no attempt runs or waits. */
  settled(): Promise<void>;
  close(): void;
};

/** Pauses between attempts at a position that was announced before it was published. After the last one, the comparison finds it. */
const RETRY_MS = [10, 20, 40, 80, 150, 300, 600, 1_200, 2_400];

export function makeRefresher({ attempt, failed }: { attempt(): Promise<Attempt>; failed(error: unknown): void }): Refresher {
  let running: Promise<void> | null = null;
  let kicked = false;
  let closed = false;
  let wake: (() => void) | null = null;

  async function run(): Promise<void> {
    for (let count = 0; !closed; count += 1) {
      kicked = false;
      const outcome = await attempt().catch((error: unknown) => {
        failed(error);
        return 'again' as const;
      });
      if (kicked) {
        count = -1;
        continue;
      }
      const pauseMs = outcome === 'stop' ? undefined : RETRY_MS[count];
      if (pauseMs === undefined) break;
      await pause(pauseMs);
    }
    // Together with the decision to stop: a kick in between must start a new run.
    running = null;
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        wake = null;
        resolve();
      }
      wake = done;
    });
  }

  return {
    kick() {
      kicked = true;
      wake?.();
      running ??= run();
    },
    settled: async () => {
      await running;
    },
    close() {
      closed = true;
      wake?.();
    },
  };
}
