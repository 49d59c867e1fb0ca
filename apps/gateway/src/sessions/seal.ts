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

/** The binding is additional data of the seal: it costs no room and cannot be forgotten when opening. */
export function sealSession(keyring: Keyring, session: ClientSession): string {
  const { key, protocolVersion, expiresAtMs, upstreamSessionId, upstreamInstance } = session;
  const members = [key, protocolVersion, expiresAtMs, upstreamSessionId, ...(upstreamInstance === null ? [] : [upstreamInstance])];
  return seal(keyring, JSON.stringify(members), additionalData(session));
}

/** null for anything that this fleet did not seal for exactly this binding. Expiry is the caller's to check. */
export function openSealedSession(keyring: Keyring, binding: SessionBinding, sealed: string): ClientSession | null {
  if (sealed.length > SESSION_ID_CHARACTERS_MAX) return null;
  const plaintext = open(keyring, sealed, additionalData(binding));
  if (plaintext === null) return null;
  // The seal vouches for the form: only we write it.
  const [key, protocolVersion, expiresAtMs, upstreamSessionId, upstreamInstance = null] = JSON.parse(plaintext.toString('utf8')) as [
    string,
    string,
    number,
    string | null,
    string?,
  ];
  const { organisationId, serverId, userId } = binding;
  return { organisationId, serverId, userId, key, protocolVersion, expiresAtMs, upstreamSessionId, upstreamInstance };
}

function additionalData({ organisationId, serverId, userId }: SessionBinding): string[] {
  return ['client-session', organisationId, serverId ?? 'aggregate', userId];
}
