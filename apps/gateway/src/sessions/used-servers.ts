import { randomUUID } from 'node:crypto';
import type { ServerId } from '@patchbay/contracts';
import type { SessionState } from './session-states.ts';

/** Of one session; of more those opened longest ago are not listened to. */
const SERVERS_MAX = 32;

/** Records that the session has opened one with this server. */
export function usesServer(serverId: ServerId): (state: SessionState) => SessionState {
  const used = { serverId, opening: randomUUID() };
  return (state) => ({ ...state, servers: [...state.servers.filter((each) => each.serverId !== serverId), used].slice(-SERVERS_MAX) });
}
