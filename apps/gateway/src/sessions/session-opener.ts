import { randomBytes as nodeRandomBytes } from 'node:crypto';
import { type Refusal, refusal } from '@patchbay/errors';
import type { Keyring } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import { within } from '../directory/within.ts';
import type { CallContext } from '../pipeline/context.ts';
import type { FactStore } from './client-facts.ts';
import type { ClientFacts, ClientSession } from './client-session.ts';
import { openSealedSession, type SealedSession, SESSION_ID_CHARACTERS_MAX, type SessionBinding, sealSession } from './seal.ts';
import type { Tombstones } from './tombstones.ts';

/** Opens an `Mcp-Session-Id` for exactly this caller at exactly this endpoint; anything else is `session.gone`. */
export type OpenSession = (binding: SessionBinding, header: string) => ClientSession | Refusal | Promise<ClientSession | Refusal>;

export type SessionOpenerDeps = {
  /** The fleet's session sealing keys. */
  readonly keyring: Keyring;
  readonly tombstones: Tombstones;
  readonly facts: FactStore;
  readonly clock: { nowMs(): number };
  readonly logger: { warn(fields: object, message: string): void };
  readonly randomBytes?: (bytes: number) => Buffer;
};

/** An upstream session to be sealed in: its id, and the stdio host that it lies on. */
export type UpstreamRef = { readonly id: string | null; readonly instance: string | null };

/** `recorded`: what did not fit into the header lies in the store, or was tried to; never rejects. */
export type MintedSession = { readonly header: string; readonly session: ClientSession; readonly recorded: Promise<void> };

export type SessionOpener = {
  readonly open: OpenSession;
  /** Ends may have been missed: every session is asked about again at its next use. */
  forgetOpened(): void;
  /** A session of this binding that lives 30 days. What does not fit is left out of the seal: first the client's facts, then the upstream session id. */
  mint(binding: SessionBinding, client: ClientFacts, upstream: UpstreamRef | null): MintedSession;
};

/** Common clients do not initialise again for weeks. */
const LIFETIME_MS = 30 * 24 * 3_600_000;
const OPENED_MAX = 20_000;
const KEY_BYTES = 16;
const STORE_TIMEOUT_MS = 1_500;

/** Opened ids are remembered, so that a warm call neither decrypts nor asks whether the session was ended. */
export function makeSessionOpener(deps: SessionOpenerDeps): SessionOpener {
  const { tombstones, facts, clock, logger, randomBytes = nodeRandomBytes } = deps;
  const keyring = deps.keyring.derive('client-session');
  const opened = new LRUCache<string, ClientSession>({ max: OPENED_MAX });

  function open(binding: SessionBinding, header: string): ClientSession | Refusal | Promise<ClientSession | Refusal> {
    const known = opened.get(header);
    if (known !== undefined) return sameBinding(known, binding) && isAlive(known) ? known : GONE;
    const sealed = openSealedSession(keyring, binding, header);
    if (sealed === null || !isAlive(sealed.session)) return GONE;
    return admit(sealed, header);
  }

  async function admit(sealed: SealedSession, header: string): Promise<ClientSession | Refusal> {
    const { key, organisationId } = sealed.session;
    const [isDead, said] = await Promise.all([
      within(tombstones.isDead(organisationId, key), STORE_TIMEOUT_MS, null),
      sealed.hasFacts ? {} : within(facts.read(sealed.session), STORE_TIMEOUT_MS, undefined),
    ]);
    if (isDead === true) return GONE;
    const session = { ...sealed.session, ...said };
    // When the store does not say, the seal stands: nobody can end a session without it either. Asked again at the next call; what it
    // has lost (null) it will not find then.
    if (isDead === false && said !== undefined) opened.set(header, session);
    else logger.warn({ organisationId }, 'cannot ask whether a session was ended, or what its client said of itself');
    return session;
  }

  const isAlive = (session: ClientSession): boolean => session.expiresAtMs > clock.nowMs() && !tombstones.isKnownDead(session.key);

  function mint(binding: SessionBinding, client: ClientFacts, upstream: UpstreamRef | null): MintedSession {
    const { organisationId, serverId, userId } = binding;
    const key = randomBytes(KEY_BYTES).toString('base64url');
    const expiresAtMs = clock.nowMs() + LIFETIME_MS;
    const whole = { organisationId, serverId, userId, key, ...client, expiresAtMs };
    const bare = { ...whole, upstreamSessionId: null, upstreamInstance: null };
    const located = { ...whole, upstreamSessionId: upstream?.id ?? null, upstreamInstance: upstream?.instance ?? null };
    for (const sealed of [
      { session: located, hasFacts: true },
      { session: located, hasFacts: false },
    ]) {
      const header = sealSession(keyring, sealed);
      if (header.length <= SESSION_ID_CHARACTERS_MAX) return keep(header, sealed);
    }
    const sealed = { session: bare, hasFacts: false };
    return keep(sealSession(keyring, sealed), sealed);
  }

  function keep(header: string, { hasFacts, session }: SealedSession): MintedSession {
    opened.set(header, session);
    const recorded = hasFacts
      ? Promise.resolve(true)
      : within(
          facts.write(session, LIFETIME_MS).then(() => true),
          STORE_TIMEOUT_MS,
          false,
        );
    return {
      header,
      session,
      recorded: recorded.then((isRecorded) => {
        if (!isRecorded) logger.warn({ organisationId: session.organisationId }, 'cannot record what a client said of itself');
      }),
    };
  }

  return { open, mint, forgetOpened: () => opened.clear() };
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
