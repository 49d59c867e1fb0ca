import { until } from '../../e2e/support/until.ts';
import { cpuMicros } from './cpu-time.ts';

const LOOK_EVERY_MS = 500;
/** Of one processor. */
const IDLE_SHARE = 0.03;
const TIMEOUT_MS = 90_000;

/** Resolves when a process has done next to nothing for a second: what it began at its start, such as writing to its disk, is done. */
export async function untilIdle(pid: number, what: string): Promise<void> {
  let before = cpuMicros([pid]);
  let quiet = 0;
  const look = async (): Promise<boolean> => {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    const now = cpuMicros([pid]);
    quiet = now - before < LOOK_EVERY_MS * 1_000 * IDLE_SHARE ? quiet + 1 : 0;
    before = now;
    return quiet === 2;
  };
  await until(look, { what: `${what} coming to rest`, timeoutMs: TIMEOUT_MS });
}
