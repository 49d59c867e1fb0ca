import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Clock } from './common/clock.ts';
import { Logger } from './common/logger.ts';
import { Config } from './config/config.ts';
import { Stores } from './ports/stores.ts';
import { Database, Lookups } from './prisma/index.ts';
import { Signer } from './modules/snapshot/index.ts';
import { StdioRules } from './modules/stdio/index.ts';
import { ServerSecrets } from './modules/vault/index.ts';
import { Routes } from './common/routes.ts';

/** The long-lived objects that compose.ts made. */
export type Platform = {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly stores: Stores;
  readonly signer: Signer;
};

/** Hands what compose.ts made to every module. */
@Global()
@Module({})
export class PlatformModule {
  static of({ config, clock, logger, database, stores, signer }: Platform): DynamicModule {
    const values = [
      { provide: Config, useValue: config },
      { provide: Clock, useValue: clock },
      { provide: Logger, useValue: logger },
      { provide: Database, useValue: database },
      { provide: Stores, useValue: stores },
      { provide: Signer, useValue: signer },
    ];
    const services = [Routes, Lookups, ServerSecrets, StdioRules];
    return { module: PlatformModule, providers: [...values, ...services], exports: [...values, ...services] };
  }
}
