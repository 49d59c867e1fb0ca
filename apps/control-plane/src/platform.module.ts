import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Clock } from './common/clock.ts';
import { Logger } from './common/logger.ts';
import { Routes } from './common/routes.ts';
import { Config } from './config/config.ts';
import { StdioRules } from './modules/stdio/index.ts';
import { ServerSecrets } from './modules/vault/index.ts';
import { Meters } from './ops/meters.ts';
import { Platform } from './platform.ts';
import { Stores } from './ports/stores.ts';
import { Database, Lookups } from './prisma/index.ts';

/** Hands what compose.ts made to every module. */
@Global()
@Module({})
export class PlatformModule {
  static of(platform: Platform): DynamicModule {
    const { config, clock, logger, meters, database, lookups, stores } = platform;
    const values = [
      { provide: Platform, useValue: platform },
      { provide: Config, useValue: config },
      { provide: Clock, useValue: clock },
      { provide: Logger, useValue: logger },
      { provide: Meters, useValue: meters },
      { provide: Database, useValue: database },
      { provide: Lookups, useValue: lookups },
      { provide: Stores, useValue: stores },
    ];
    const services = [Routes, ServerSecrets, StdioRules];
    return { module: PlatformModule, providers: [...values, ...services], exports: [...values, ...services] };
  }
}
