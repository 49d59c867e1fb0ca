import type { OrganisationId, ServerId, UserId } from '@patchbay/contracts';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { ClientSession } from './client-session.ts';

/** What a session id is bound to: it opens on no other endpoint and for nobody else. */
export type SessionBinding = {
  readonly organisationId: OrganisationId;
  /** null: the aggregated endpoint. */
  readonly serverId: ServerId | null;
  readonly userId: UserId;
};

/** Longest `Mcp-Session-Id` in characters (architecture.md §5): some proxies cut headers off early. */
export const SESSION_ID_CHARACTERS_MAX = 1024;

/** What a session id itself holds; `hasFacts`: the client's capabilities and name too. Where they do not fit the shared store has them. */
export type SealedSession = { readonly session: ClientSession; readonly hasFacts: boolean };

/** The binding is additional data of the seal: it costs no room and cannot be forgotten when opening. */
export function sealSession(keyring: Keyring, { hasFacts, session }: SealedSession): string {
  const { capabilities, clientInfo, key, protocolVersion, expiresAtMs, upstreamSessionId, upstreamInstance } = session;
  const facts = hasFacts ? `${capabilities},${clientInfo}` : 'null';
  const members = JSON.stringify([key, protocolVersion, expiresAtMs, upstreamSessionId, upstreamInstance]);
  return seal(keyring, `${members.slice(0, -1)},${facts}]`, additionalData(session));
}

type Members = [string, string, number, string | null, (string | null)?, (object | null)?, (object | null)?];

/** null for anything that this fleet did not seal for exactly this binding. Expiry is the caller's to check. */
export function openSealedSession(keyring: Keyring, binding: SessionBinding, sealed: string): SealedSession | null {
  if (sealed.length > SESSION_ID_CHARACTERS_MAX) return null;
  const plaintext = open(keyring, sealed, additionalData(binding));
  if (plaintext === null) return null;
  // The seal vouches for the form: only we write it. The last three came later.
  const [key, protocolVersion, expiresAtMs, upstreamSessionId, upstreamInstance = null, capabilities = {}, clientInfo = null] = JSON.parse(
    plaintext.toString('utf8'),
  ) as Members;
  const { organisationId, serverId, userId } = binding;
  const facts = { protocolVersion, capabilities: JSON.stringify(capabilities ?? {}), clientInfo: clientInfo && JSON.stringify(clientInfo) };
  const session = { organisationId, serverId, userId, key, ...facts, expiresAtMs, upstreamSessionId, upstreamInstance };
  return { session, hasFacts: capabilities !== null };
}

function additionalData({ organisationId, serverId, userId }: SessionBinding): string[] {
  return ['client-session', organisationId, serverId ?? 'aggregate', userId];
}
