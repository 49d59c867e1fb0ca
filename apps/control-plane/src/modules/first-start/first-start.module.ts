import { Module } from '@nestjs/common';
import { RegistryModule } from '../registry/index.ts';
import { FirstStart } from './first-start.ts';

@Module({ imports: [RegistryModule], providers: [FirstStart] })
export class FirstStartModule {}
