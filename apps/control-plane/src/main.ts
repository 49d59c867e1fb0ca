import 'reflect-metadata';
import { drainServer, runProgram, type Running } from '@patchbay/telemetry';
import { compose } from './compose.ts';
import { readConfig } from './config/config.ts';
import { createHttpApp } from './http-app.ts';
import { DiscoveryQueue, Listeners } from './modules/discovery/index.ts';
import { PodIntake } from './modules/rollout/index.ts';
import { InternalListener, Publisher } from './modules/snapshot/index.ts';

/** How long requests in flight may take to end once a stop was asked for. */
const DRAIN_MS = 5_000;
/** How long the whole stop may take after it was announced. */
const STOP_MS = 10_000;

/** Config → compose → listen; stops in the reverse order. */
async function start(): Promise<Running> {
  const composed = await compose(readConfig());
  const app = await createHttpApp(composed);
  const [publisher, queue, internal] = [app.get(Publisher), app.get(DiscoveryQueue), app.get(InternalListener)];
  const [pods, listeners] = [app.get(PodIntake), app.get(Listeners)];
  // Pods may have nothing to read since a crash of Postgres: publish before saying that we are here.
  await publisher.start();
  await pods.start();
  await Promise.all([internal.listen(), app.listen(composed.config.apiPort, composed.config.listeners.public.address)]);
  await queue.start();
  listeners.start();
  const { drainAnnounceMs: announceMs } = composed.config;
  composed.logger.info({ apiPort: composed.config.apiPort }, 'listening');
  return {
    logger: composed.logger,
    stopDeadlineMs: announceMs + STOP_MS,
    stop: async () => {
      internal.announceEnd();
      // A change that is under way is answered: its caller would not know whether it stands.
      await drainServer(app.getHttpServer(), { limitMs: DRAIN_MS, announceMs });
      await listeners.stop();
      await app.close();
      await queue.stop();
      await publisher.stop();
      await pods.stop();
      await internal.close();
      await composed.close();
    },
  };
}

runProgram({ name: 'control plane', start });
