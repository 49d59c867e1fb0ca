import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { hashToken, parseToken, verifyTag } from '@patchbay/tokens';
import { Clock } from '../../common/clock.ts';
import { permissionsOf, type Caller, type RequestWithCaller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { REQUIREMENT, type Requirement } from '../../common/requires.decorator.ts';
import { Config } from '../../config/config.ts';
import { Lookups } from '../../prisma/index.ts';
import { isTrustedBrowser } from './browser-request.ts';
import { readSessionCookie } from './session-cookie.ts';

const RECENT_MS = 15 * 60_000;
const BEARER = /^Bearer +([A-Za-z0-9_-]+) *$/i;

/** Proves who is asking and that they may, before a route runs. An organisation that is not the caller's does not exist. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly lookups: Lookups,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const requirement = this.reflector.get<Requirement | undefined>(REQUIREMENT, context.getHandler());
    if (requirement?.kind === 'public') return true;
    const request = context.switchToHttp().getRequest<RequestWithCaller>();
    const caller = await this.#callerOf(request);
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

  async #callerOf(request: RequestWithCaller): Promise<Caller | null> {
    const { authorization, cookie } = request.headers;
    // A bearer is sent on purpose: where there is one, a cookie that the browser added counts for nothing.
    if (authorization !== undefined) return this.#byApiToken(BEARER.exec(authorization)?.[1] ?? '');
    const secret = readSessionCookie(cookie);
    if (secret === null || secret === '') return null;
    if (!isTrustedBrowser(request)) throw new Refused('auth.cross_site');
    const found = await this.lookups.sessionByHash(hashToken(secret));
    if (found === null) return null;
    const { slug, sessionId, signedInAt, expiresAt, ...who } = found;
    return {
      ...who,
      organisationSlug: slug,
      permissions: permissionsOf(who.role, null),
      session: { id: sessionId, signedInAt, expiresAt },
    };
  }

  async #byApiToken(text: string): Promise<Caller | null> {
    const parsed = parseToken(text);
    // An invented token is refused by its tag, without a lookup.
    if (parsed === null || parsed.kind !== 'pbapi') return null;
    if (![...this.config.tokenTagKey.byId.values()].some(({ key }) => verifyTag(parsed, key))) return null;
    const found = await this.lookups.apiTokenByHash(hashToken(text));
    if (found === null) return null;
    const { slug, scopes, ...who } = found;
    return { ...who, organisationSlug: slug, permissions: permissionsOf(who.role, scopes), session: null };
  }
}
