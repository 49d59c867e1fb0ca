import type { IncomingMessage } from 'node:http';
import { MODERN_VERSION, modernHeaders } from '@patchbay/mcp-wire';
import { SERVER_INFO } from '../methods/self.ts';
import type { Upstream } from './upstreams.ts';

/** Headers of every POST. Nothing a client sent is among them (protocol.md trap 23). */
const COMMON = {
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
  'user-agent': `${SERVER_INFO.name}/${SERVER_INFO.version}`,
} as const;

/** What the session with a legacy upstream adds to a request; null before there is one. */
export type SessionHeaders = { readonly id: string | null; readonly protocolVersion: string };

/** `initialize` itself carries neither version nor session. */
export function legacyHeaders({ headers }: Upstream, session: SessionHeaders | null): Record<string, string> {
  const composed: Record<string, string> = { ...headers, ...COMMON };
  if (session === null) return composed;
  composed['mcp-protocol-version'] = session.protocolVersion;
  if (session.id !== null) composed['mcp-session-id'] = session.id;
  return composed;
}

/** Of a GET for a server's own stream; with `lastEventId` for the rest of one that was lost. */
export function streamHeaders({ headers }: Upstream, session: SessionHeaders, lastEventId: string | null): Record<string, string> {
  const composed: Record<string, string> = { ...headers, accept: 'text/event-stream', 'user-agent': COMMON['user-agent'] };
  composed['mcp-protocol-version'] = session.protocolVersion;
  if (session.id !== null) composed['mcp-session-id'] = session.id;
  if (lastEventId !== null) composed['last-event-id'] = lastEventId;
  return composed;
}

/** `name`: what the upstream calls it, after any renaming (protocol.md trap 4). */
export function modernRequestHeaders(upstream: Upstream, method: string, name: string | null): Record<string, string> {
  return { ...upstream.headers, ...COMMON, ...modernHeaders(MODERN_VERSION, method, name) };
}

/** `Mcp-Param-*` of a modern client, unknown ones too: a proxy must forward them (SEP-2243). */
export function forwardedParams({ headers }: IncomingMessage): Record<string, string> {
  const params: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (name.startsWith('mcp-param-') && typeof value === 'string') params[name] = value;
  }
  return params;
}
