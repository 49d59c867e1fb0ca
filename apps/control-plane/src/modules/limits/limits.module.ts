import { Module } from '@nestjs/common';
import { LimitsController } from './limits.controller.ts';
import { LimitsRepository } from './limits.repository.ts';
import { LimitsService } from './limits.service.ts';

@Module({ controllers: [LimitsController], providers: [LimitsService, LimitsRepository] })
export class LimitsModule {}
