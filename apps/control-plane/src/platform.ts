import type { Clock } from './common/clock.ts';
import type { Logger } from './common/logger.ts';
import type { Config } from './config/config.ts';
import type { Meters } from './ops/meters.ts';
import type { Spans } from './ops/spans.ts';
import type { Signer } from './ports/signer.ts';
import type { Stores } from './ports/stores.ts';
import type { Database, Lookups } from './prisma/index.ts';

/** The long-lived objects that compose.ts made, for services that need several of them. */
export abstract class Platform {
  abstract readonly config: Config;
  abstract readonly clock: Clock;
  abstract readonly logger: Logger;
  abstract readonly meters: Meters;
  abstract readonly spans: Spans;
  abstract readonly database: Database;
  abstract readonly lookups: Lookups;
  abstract readonly stores: Stores;
  abstract readonly signer: Signer;
}
