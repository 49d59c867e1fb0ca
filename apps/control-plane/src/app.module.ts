import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { FaultFilter } from './common/fault.filter.ts';
import { validationPipe } from './common/validation.ts';
import { AccessModule } from './modules/access/index.ts';
import { DiscoveryModule } from './modules/discovery/index.ts';
import { FirstStartModule } from './modules/first-start/index.ts';
import { IdentityModule } from './modules/identity/index.ts';
import { LimitsModule } from './modules/limits/index.ts';
import { OpenApiModule } from './modules/openapi/index.ts';
import { OrganisationsModule } from './modules/organisations/index.ts';
import { PersonalTokensModule } from './modules/personal-tokens/index.ts';
import { RegistryModule } from './modules/registry/index.ts';
import { RolloutModule } from './modules/rollout/index.ts';
import { SnapshotModule } from './modules/snapshot/index.ts';
import { PlatformModule } from './platform.module.ts';
import type { Platform } from './platform.ts';

/** The whole control plane, a folder by feature. */
@Module({})
export class AppModule {
  static of(platform: Platform): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PlatformModule.of(platform),
        SnapshotModule,
        RolloutModule,
        IdentityModule,
        OrganisationsModule,
        RegistryModule,
        DiscoveryModule,
        AccessModule,
        LimitsModule,
        PersonalTokensModule,
        OpenApiModule,
        FirstStartModule,
      ],
      providers: [
        { provide: APP_FILTER, useClass: FaultFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
      ],
    };
  }
}
