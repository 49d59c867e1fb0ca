import { STDIO_HOST } from '@patchbay/contracts';
import type { Secret } from '@patchbay/vault';
import { ask } from '../ask.ts';
import type { SessionHeaders } from '../headers.ts';
import type { StdioHost } from './hosts.ts';
import type { Placed } from './placement.ts';

/** Ends a session on a host; without one, the process that all sessions of this generation share. Never rejects. */
export type EndOnHost = (host: StdioHost, placed: Placed, session?: SessionHeaders) => Promise<void>;

const TIMEOUT_MS = 3_000;

export function makeEndOnHost(secret: Secret): EndOnHost {
  return async (host, placed, session) => {
    const headers = hostHeaders(secret, placed.server.generation);
    if (typeof session?.id === 'string') headers['mcp-session-id'] = session.id;
    const request = { pool: host.pool, method: 'DELETE', path: pathOn(host, placed), headers, body: null, timeoutMs: TIMEOUT_MS } as const;
    await ask({ request, slug: placed.server.slug, id: null });
  };
}

/** Every request to a stdio host carries these; `principal`: where each has a process of its own. */
export function hostHeaders(secret: Secret, generation: string, principal: string | null = null): Record<string, string> {
  const headers = { authorization: `Bearer ${secret.reveal()}`, [STDIO_HOST.generationHeader]: generation };
  return principal === null ? headers : { ...headers, [STDIO_HOST.principalHeader]: principal };
}

/** A server's own path on a host. */
export function pathOn({ basePath }: StdioHost, { organisationId, server }: Placed): string {
  return basePath + STDIO_HOST.path(organisationId, server.id);
}
