import { Global, Module } from '@nestjs/common';
import { PodIntake } from './pod-intake.ts';
import { RolloutController } from './rollout.controller.ts';
import { RolloutService } from './rollout.service.ts';

/** Global, because the internal listener hands on what pods post. */
@Global()
@Module({ controllers: [RolloutController], providers: [PodIntake, RolloutService], exports: [PodIntake] })
export class RolloutModule {}
