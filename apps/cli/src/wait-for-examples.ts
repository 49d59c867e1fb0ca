import { setTimeout as sleep } from 'node:timers/promises';
import type { InstallationApi } from './installation-api.ts';
import { StartFailure } from './start-failure.ts';

const SERVERS = ['everything', 'memory'];
const WITHIN_MS = 60_000;
const POLL_MS = 50;

/** Resolves when discovery has found both example servers. Rejects with a StartFailure that says why it has not. */
export async function waitForExamples(api: InstallationApi, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    const servers = await Promise.all(
      SERVERS.map(async (slug) => ({ slug, ...((await api.server(slug)) ?? { status: 'gone', detail: '' }) })),
    );
    const waiting = servers.filter(({ status }) => status === 'pending' || status === 'unreachable');
    if (waiting.length === 0) return;
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      const why = waiting.map(({ slug, status, detail }) => `${slug} is ${status}${detail === '' ? '' : `: ${detail}`}`).join('\n');
      throw new StartFailure('The example servers could not be looked at.', why);
    }
    await sleep(POLL_MS);
  }
}
