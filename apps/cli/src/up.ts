import type { Config } from './config.ts';
import { homeAt } from './home.ts';
import { lockHome } from './lock.ts';
import { Platform } from './platform.ts';
import { makePrivateFolder } from './private-file.ts';
import type { StopSignals } from './stop-signals.ts';
import type { Terminal } from './terminal.ts';

/** Runs the whole platform until we are told to stop, and stops it in order. Rejects with what the person has to know when it cannot start. */
export async function up(config: Config, terminal: Terminal, signals: StopSignals): Promise<void> {
  const home = homeAt(config.home);
  for (const folder of [home.root, home.keys, home.logs, home.run]) makePrivateFolder(folder);
  const lock = await lockHome(home.run);
  const platform = new Platform({ config, home, terminal, nowMs: () => Date.now() });
  try {
    await platform.start(signals.stop);
    await aborted(signals.stop);
  } catch (error) {
    // What was under way when we were told to stop may end in any way.
    if (!signals.stop.aborted) throw error;
  } finally {
    lock.markStopping();
    await platform.stop(signals.hurry);
    lock.release();
  }
  terminal.line('Stopped.');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    // A signal handler alone does not keep a program alive; its programs and this do.
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener('abort', () => {
      clearInterval(alive);
      done();
    });
  });
}
