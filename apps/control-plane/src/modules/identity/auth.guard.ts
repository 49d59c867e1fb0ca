import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Clock } from '../../common/clock.ts';
import type { Caller, RequestWithCaller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { REQUIREMENT, type Requirement } from '../../common/requires.decorator.ts';
import { Callers } from './callers.ts';

const RECENT_MS = 15 * 60_000;

/** Proves who is asking and that they may, before a route runs. An organisation that is not the caller's does not exist. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly callers: Callers,
    private readonly clock: Clock,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const requirement = this.reflector.get<Requirement | undefined>(REQUIREMENT, context.getHandler());
    if (requirement?.kind === 'public') return true;
    const request = context.switchToHttp().getRequest<RequestWithCaller>();
    const caller = await this.callers.of(request);
    if (caller === null) throw new Refused('auth.signed_out');
    const { org } = request.params as { org?: string };
    if (org !== undefined && org !== caller.organisationSlug) throw new Refused('api.not_found');
    this.#check(caller, requirement);
    request.caller = caller;
    return true;
  }

  #check(caller: Caller, requirement: Requirement | undefined): void {
    if (requirement?.kind === 'session') {
      if (caller.session === null) throw new Refused('auth.signed_out');
      return;
    }
    if (requirement?.kind !== 'permission' || !caller.permissions.has(requirement.permission)) throw new Refused('auth.forbidden');
    if (!requirement.recentSignIn || caller.session === null) return;
    if (this.clock.now().getTime() - caller.session.signedInAt.getTime() > RECENT_MS) throw new Refused('auth.recent_sign_in_required');
  }
}
