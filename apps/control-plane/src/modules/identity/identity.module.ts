import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AuthGuard } from './auth.guard.ts';
import { Callers } from './callers.ts';
import { SessionController } from './session.controller.ts';
import { SessionService } from './session.service.ts';
import { SessionsRepository } from './sessions.repository.ts';
import { SignInLimits } from './sign-in-limits.ts';

@Module({
  controllers: [SessionController],
  providers: [Callers, SessionService, SessionsRepository, SignInLimits, { provide: APP_GUARD, useClass: AuthGuard }],
})
export class IdentityModule {}
