import { Injectable } from '@nestjs/common';
import { hashToken, parseToken, verifyTag } from '@patchbay/tokens';
import type { FastifyRequest } from 'fastify';
import { permissionsOf, type Caller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { Config } from '../../config/config.ts';
import { Lookups } from '../../prisma/index.ts';
import { isTrustedBrowser } from './browser-request.ts';
import { readSessionCookie } from './session-cookie.ts';

const BEARER = /^Bearer +([A-Za-z0-9_-]+) *$/i;

/** Who sent a request, told from its headers alone: asked before its body is read, and looked up once. */
@Injectable()
export class Callers {
  readonly #known = new WeakMap<FastifyRequest, Promise<Caller | null>>();

  constructor(
    private readonly lookups: Lookups,
    private readonly config: Config,
  ) {}

  /** Null when nobody is signed in. Rejects with a Refused when a browser was made to send this by a foreign page. */
  of(request: FastifyRequest): Promise<Caller | null> {
    const known = this.#known.get(request) ?? this.#lookUp(request);
    this.#known.set(request, known);
    return known;
  }

  async #lookUp(request: FastifyRequest): Promise<Caller | null> {
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
