import type { SessionState, UsedServer } from './session-states.ts';

/** Of one session; of more those opened longest ago are not listened to. */
const SERVERS_MAX = 32;

/** Records that the session has this one with a server. */
export function usesServer(used: UsedServer): (state: SessionState) => SessionState {
  return (state) => ({
    ...state,
    servers: [...state.servers.filter(({ serverId }) => serverId !== used.serverId), used].slice(-SERVERS_MAX),
  });
}
