import { randomBytes as nodeRandomBytes } from 'node:crypto';
import { type Refusal, refusal } from '@patchbay/errors';
import type { Keyring } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import { within } from '../directory/within.ts';
import type { CallContext } from '../pipeline/context.ts';
import type { ClientSession } from './client-session.ts';
import { openSealedSession, SESSION_ID_CHARACTERS_MAX, type SessionBinding, sealSession } from './seal.ts';
import type { Tombstones } from './tombstones.ts';

/** Opens an `Mcp-Session-Id` for exactly this caller at exactly this endpoint; anything else is `session.gone`. */
export type OpenSession = (binding: SessionBinding, header: string) => ClientSession | Refusal | Promise<ClientSession | Refusal>;

export type SessionOpenerDeps = {
  /** The fleet's session sealing keys. */
  readonly keyring: Keyring;
  readonly tombstones: Tombstones;
  readonly clock: { nowMs(): number };
  readonly logger: { warn(fields: object, message: string): void };
  readonly randomBytes?: (bytes: number) => Buffer;
};

/** An upstream session to be sealed in: its id, and the stdio host that it lies on. */
export type UpstreamRef = { readonly id: string | null; readonly instance: string | null };

export type MintedSession = { readonly header: string; readonly session: ClientSession };

export type SessionOpener = {
  readonly open: OpenSession;
  /** Ends may have been missed: every session is asked about again at its next use. */
  forgetOpened(): void;
  /** A session of this binding that lives 30 days. An upstream session id that does not fit is left out of the seal. */
  mint(binding: SessionBinding, protocolVersion: string, upstream: UpstreamRef | null): MintedSession;
  /** The same for the caller and endpoint of a call; only the header's text. */
  mintFor(ctx: CallContext, protocolVersion: string): string;
};

/** Common clients do not initialise again for weeks. */
const LIFETIME_MS = 30 * 24 * 3_600_000;
const OPENED_MAX = 20_000;
const KEY_BYTES = 16;
const STORE_TIMEOUT_MS = 1_500;

/** Opened ids are remembered, so that a warm call neither decrypts nor asks whether the session was ended. */
export function makeSessionOpener(deps: SessionOpenerDeps): SessionOpener {
  const { tombstones, clock, logger, randomBytes = nodeRandomBytes } = deps;
  const keyring = deps.keyring.derive('client-session');
  const opened = new LRUCache<string, ClientSession>({ max: OPENED_MAX });

  function open(binding: SessionBinding, header: string): ClientSession | Refusal | Promise<ClientSession | Refusal> {
    const known = opened.get(header);
    if (known !== undefined) return sameBinding(known, binding) && isAlive(known) ? known : GONE;
    const session = openSealedSession(keyring, binding, header);
    if (session === null || !isAlive(session)) return GONE;
    return admit(session, header);
  }

  async function admit(session: ClientSession, header: string): Promise<ClientSession | Refusal> {
    const isDead = await within(tombstones.isDead(session.organisationId, session.key), STORE_TIMEOUT_MS, null);
    if (isDead === true) return GONE;
    // When the store does not say, the seal stands: nobody can end a session without it either. Asked again at the next call.
    if (isDead === false) opened.set(header, session);
    else logger.warn({ organisationId: session.organisationId }, 'cannot ask whether a session was ended');
    return session;
  }

  const isAlive = (session: ClientSession): boolean => session.expiresAtMs > clock.nowMs() && !tombstones.isKnownDead(session.key);

  function mint(binding: SessionBinding, protocolVersion: string, upstream: UpstreamRef | null): MintedSession {
    const { organisationId, serverId, userId } = binding;
    const key = randomBytes(KEY_BYTES).toString('base64url');
    const expiresAtMs = clock.nowMs() + LIFETIME_MS;
    const held = { upstreamSessionId: upstream?.id ?? null, upstreamInstance: upstream?.instance ?? null };
    const session: ClientSession = { organisationId, serverId, userId, key, protocolVersion, expiresAtMs, ...held };
    const header = sealSession(keyring, session);
    if (header.length > SESSION_ID_CHARACTERS_MAX && upstream !== null) return mint(binding, protocolVersion, null);
    opened.set(header, session);
    return { header, session };
  }

  function mintFor(ctx: CallContext, protocolVersion: string): string {
    return mint(bindingOf(ctx), protocolVersion, null).header;
  }

  return { open, mint, mintFor, forgetOpened: () => opened.clear() };
}

/** Who calls, and at which endpoint; only for calls that were authenticated and read. */
export function bindingOf({ endpointServer, principal }: CallContext): SessionBinding {
  if (principal === null) throw new TypeError('a call without a principal has no session');
  return { organisationId: principal.organisationId, serverId: endpointServer?.id ?? null, userId: principal.userId };
}

const GONE = refusal('session.gone');

function sameBinding(a: SessionBinding, b: SessionBinding): boolean {
  return a.userId === b.userId && a.serverId === b.serverId && a.organisationId === b.organisationId;
}
