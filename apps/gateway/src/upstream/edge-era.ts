import type { Era } from '@patchbay/mcp-wire';
import type { ClientSession } from '../sessions/client-session.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';

/**
 * The era in which a server is spoken to for this client: its own, but for one of revision 2026-07-28 that opened a session with the client
 * when that initialised. Then both sides speak the client's revision and nothing has to be translated.
 */
export function edgeEra({ catalogue, id }: CompiledServer, session: ClientSession | null): Era {
  const hasOwnSession = session !== null && session.serverId === id && session.upstreamSessionId !== null;
  return hasOwnSession ? 'legacy' : (catalogue?.era ?? 'legacy');
}
