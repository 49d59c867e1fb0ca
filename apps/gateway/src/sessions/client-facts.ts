import type { OrganisationId } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { type ScannedMessage, sliceMember } from '@patchbay/mcp-wire';
import type { SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { ClientFacts, ClientSession } from './client-session.ts';

/** What a client says of itself is carried along with every request to a modern server. */
const CHARACTERS_MAX = 16_384;

/** Of a legacy `initialize`; what is no object counts as not said. */
export function clientFactsOf(body: Buffer, { capabilitiesSpan }: ScannedMessage, protocolVersion: string): ClientFacts | Refusal {
  const capabilities = objectAt(body, capabilitiesSpan) ?? '{}';
  const clientInfo = objectAt(body, sliceMember(body, ['params', 'clientInfo']));
  if (capabilities.length + (clientInfo?.length ?? 0) > CHARACTERS_MAX)
    return refusal('rpc.params', `params.capabilities and params.clientInfo have more than ${CHARACTERS_MAX} characters.`);
  return { protocolVersion, capabilities, clientInfo };
}

function objectAt(body: Buffer, span: { start: number; end: number } | null): string | null {
  if (span === null) return null;
  const value: unknown = JSON.parse(body.toString('utf8', span.start, span.end));
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? JSON.stringify(value) : null;
}

type Facts = Pick<ClientFacts, 'capabilities' | 'clientInfo'>;

/** Where the facts of a session lie that its id has no room for, sealed; readable with that session's key only. */
export type FactStore = {
  write(session: ClientSession, ttlMs: number): Promise<void>;
  /** null when the store has lost them. */
  read(session: Pick<ClientSession, 'key' | 'organisationId'>): Promise<Facts | null>;
};

export function makeFactStore(store: Pick<SharedStore, 'get' | 'set'>, fleet: Keyring): FactStore {
  const keyring = fleet.derive('client-facts');
  const keyOf = (key: string): string => `client-facts/${key}`;
  const contextOf = (organisationId: OrganisationId, key: string): string[] => ['client-facts', organisationId, key];
  return {
    async write({ capabilities, clientInfo, key, organisationId }, ttlMs) {
      const facts: Facts = { capabilities, clientInfo };
      await store.set(organisationId, keyOf(key), seal(keyring, JSON.stringify(facts), contextOf(organisationId, key)), ttlMs);
    },
    async read({ key, organisationId }) {
      const sealed = await store.get(organisationId, keyOf(key));
      const opened = sealed === null ? null : open(keyring, sealed, contextOf(organisationId, key));
      return opened === null ? null : (JSON.parse(opened.toString('utf8')) as Facts);
    },
  };
}
