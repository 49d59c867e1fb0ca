import { VERSION } from '@patchbay/contracts';
import { checkRedis, createPorts, watchErrors } from '@patchbay/ports';
import { createLogger, createProgramMetrics } from '@patchbay/telemetry';
import { startTracer } from '@patchbay/telemetry/tracing';
import { systemClock } from './common/clock.ts';
import type { Config } from './config/config.ts';
import { Meters } from './ops/meters.ts';
import { Spans } from './ops/spans.ts';
import type { Platform } from './platform.ts';
import { Signer } from './ports/signer.ts';
import { Stores } from './ports/stores.ts';
import { checkTenantWall, Database, Lookups } from './prisma/index.ts';

export type Composed = Platform & { close(): Promise<void> };

/** Makes every long-lived object. Throws where the database would not keep organisations apart, and on a Redis that we cannot work with. */
export async function compose(config: Config): Promise<Composed> {
  const logger = createLogger({ program: 'control-plane', level: config.logLevel });
  const meters = new Meters(createProgramMetrics({ program: 'control-plane', version: VERSION }), systemClock);
  const tracing = await startTracer({ enabled: config.otlpEndpoint !== null, serviceName: 'patchbay-control-plane' });
  const database = new Database(config.databaseUrl.reveal());
  meters.watchPool(database.pool);
  const opened = createPorts({
    redisUrl: config.redisUrl?.reveal() ?? null,
    postgresUrl: config.databaseUrl.reveal(),
    connectionsMax: 4,
    onError: (error) => logger.warn({ err: error }, 'a connection to the stores was lost'),
  });
  const ports = watchErrors(opened, (port) => meters.storeFailure(port));
  const close = async (): Promise<void> => {
    await ports.close();
    await database.close();
    await tracing?.stop();
  };
  try {
    await checkTenantWall(database);
    const redisUrl = config.redisUrl?.reveal();
    if (redisUrl !== undefined && (await checkRedis(redisUrl, 'control plane')) === 'away')
      logger.warn({}, 'Redis is away: what is published waits in the database until it is back');
  } catch (error) {
    await close();
    throw error;
  }
  const stores = new Stores(ports.bus, ports.parts, ports.directory);
  return {
    config,
    clock: systemClock,
    logger,
    meters,
    spans: new Spans(tracing?.tracer ?? null),
    database,
    lookups: new Lookups(database),
    stores,
    signer: new Signer(config.snapshotSigningKey),
    close,
  };
}
