import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { Session, SessionInput } from '@patchbay/contracts';
import type { TrustedProxies } from '@patchbay/listening';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { Answers } from '../../common/answers.decorator.ts';
import { orRefuse } from '../../common/or-refuse.ts';
import { Refused } from '../../common/refused.ts';
import { Public, RequiresSession } from '../../common/requires.decorator.ts';
import { Config } from '../../config/config.ts';
import { isTrustedBrowser } from './browser-request.ts';
import { writeSessionCookie } from './session-cookie.ts';
import { SESSION_SECONDS, SessionService } from './session.service.ts';

@Controller('api/v1/session')
export class SessionController {
  readonly #secure: boolean;
  readonly #proxies: TrustedProxies;

  constructor(
    private readonly sessions: SessionService,
    config: Config,
  ) {
    this.#secure = config.apiUrl.protocol === 'https:';
    this.#proxies = config.listeners.public.proxies;
  }

  @Post()
  @Public()
  @Answers(201, 'Signs a local user in and sets the session cookie.', { response: Session, body: SessionInput })
  async signIn(
    @Body({ schema: SessionInput }) input: SessionInput,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Session> {
    // A foreign page must not be able to sign a browser in as somebody else.
    if (!isTrustedBrowser(request)) throw new Refused('auth.cross_site');
    const { session, secret } = orRefuse(await this.sessions.signIn(input, this.#proxies.clientAddress(request.raw)));
    writeSessionCookie(reply, secret, { maxAgeSeconds: SESSION_SECONDS, secure: this.#secure });
    return session;
  }

  @Get()
  @RequiresSession()
  @Answers(200, 'Says who is signed in.', { response: Session })
  read(@CurrentCaller() caller: Caller): Session {
    const { organisationSlug, userId, email, role, operator, session } = caller;
    if (session === null) throw new Refused('auth.signed_out');
    return { organisation: organisationSlug, user: { id: userId, email, role, operator }, expiresAt: session.expiresAt.toISOString() };
  }

  @Delete()
  @HttpCode(204)
  @RequiresSession()
  @Answers(204, 'Ends the session.')
  async signOut(@CurrentCaller() caller: Caller, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    await this.sessions.signOut(caller);
    writeSessionCookie(reply, '', { maxAgeSeconds: 0, secure: this.#secure });
  }
}
