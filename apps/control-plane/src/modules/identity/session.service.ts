import { Injectable } from '@nestjs/common';
import type { Session, SessionInput } from '@patchbay/contracts';
import { refusal, type ErrorCode, type Refusal } from '@patchbay/errors';
import { hashToken, mintSecret } from '@patchbay/tokens';
import type { Caller } from '../../common/caller.ts';
import { newId } from '../../common/new-id.ts';
import type { SignIn } from '../../ops/meters.ts';
import { Platform } from '../../platform.ts';
import { verifyPassword } from './passwords.ts';
import { SessionsRepository } from './sessions.repository.ts';
import { SignInLimits } from './sign-in-limits.ts';

/** Twelve hours: one working day. */
export const SESSION_SECONDS = 43_200;

const REFUSED: Partial<Record<ErrorCode, SignIn>> = { 'auth.too_many_attempts': 'limited', 'http.overloaded': 'overloaded' };

export type SignedIn = { readonly session: Session; readonly secret: string };

/** Local sign-in with a password. Only a hash of a session's secret is kept. */
@Injectable()
export class SessionService {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly limits: SignInLimits,
    private readonly platform: Platform,
  ) {}

  /** A new session, or a refusal that is the same for an unknown organisation, email and password, and takes as long. */
  async signIn(input: SessionInput, address: string): Promise<SignedIn | Refusal> {
    const answer = await this.#signIn(input, address);
    this.platform.meters.signIn('code' in answer ? (REFUSED[answer.code] ?? 'failed') : 'ok');
    return answer;
  }

  async #signIn({ organisation, email, password }: SessionInput, address: string): Promise<SignedIn | Refusal> {
    const user = `${organisation}\n${email.toLowerCase()}`;
    if (!(await this.limits.take(address, user))) return refusal('auth.too_many_attempts');
    const found = await this.platform.lookups.organisationBySlug(organisation);
    const row = found === null ? null : await this.sessions.user(found.organisationId, email.toLowerCase());
    const matches = await verifyPassword(row?.passwordHash ?? null, password);
    if (matches === null) return refusal('http.overloaded');
    if (found === null || row === null || !matches) return refusal('auth.sign_in_failed');
    await this.limits.forgive(address, user);
    const secret = mintSecret();
    const now = this.platform.clock.now();
    const expiresAt = new Date(now.getTime() + SESSION_SECONDS * 1_000);
    await this.sessions.open(found.organisationId, {
      id: newId(),
      userId: row.id,
      secretHash: hashToken(secret),
      createdAt: now,
      expiresAt,
    });
    const view = { id: row.id, email: row.email, role: row.role, operator: row.operator };
    // Rows hold what our own schemas admitted.
    return { secret, session: { organisation: found.slug, user: view as Session['user'], expiresAt: expiresAt.toISOString() } };
  }

  async signOut({ organisationId, session }: Caller): Promise<void> {
    if (session === null) return;
    await this.sessions.end(organisationId, session.id);
  }
}
