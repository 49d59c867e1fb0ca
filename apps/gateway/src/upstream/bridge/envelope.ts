import type { Sampling } from '@patchbay/contracts';
import { META_KEYS, MODERN_VERSION } from '@patchbay/mcp-wire';
import { SERVER_INFO } from '../../methods/self.ts';
import type { ClientSession } from '../../sessions/client-session.ts';
import { carriedCapabilities } from '../rounds/session-capabilities.ts';

const OURSELVES = JSON.stringify({ name: SERVER_INFO.name, version: SERVER_INFO.version });
const NO_SESSION = envelope('{}', OURSELVES);
/** A session is one object for as long as this pod knows it, and says the same of its client with every call. */
const envelopes = { relayed: new WeakMap<ClientSession, string>(), refused: new WeakMap<ClientSession, string>() };

export type EnvelopeFor = { readonly level: string | null; readonly sampling: Sampling };

/** The members of `_meta` that a modern server gets with each request of this session; without one, of a client without capabilities. */
export function envelopeOf(session: ClientSession | null, { level, sampling }: EnvelopeFor): string {
  const members = session === null ? NO_SESSION : membersOf(session, sampling);
  return level === null ? members : `${members},"${META_KEYS.logLevel}":"${level}"`;
}

function membersOf(session: ClientSession, sampling: Sampling): string {
  let members = envelopes[sampling].get(session);
  if (members === undefined) {
    members = envelope(JSON.stringify(carriedCapabilities(session, sampling)), session.clientInfo ?? OURSELVES);
    envelopes[sampling].set(session, members);
  }
  return members;
}

function envelope(capabilities: string, clientInfo: string): string {
  return [
    `"${META_KEYS.protocolVersion}":"${MODERN_VERSION}"`,
    `"${META_KEYS.clientCapabilities}":${capabilities}`,
    `"${META_KEYS.clientInfo}":${clientInfo}`,
  ].join(',');
}
