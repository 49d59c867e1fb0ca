import { Module } from '@nestjs/common';
import { DiscoveryModule } from '../discovery/index.ts';
import { RegistryModule } from '../registry/index.ts';
import { FirstStart } from './first-start.ts';

@Module({ imports: [RegistryModule, DiscoveryModule], providers: [FirstStart] })
export class FirstStartModule {}
