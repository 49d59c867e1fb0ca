import { type Refusal, refusal } from '@patchbay/errors';
import { INITIALIZED_NOTIFICATION, type InitializeInput, initializeRequest, isLegacyVersion, sliceMember } from '@patchbay/mcp-wire';
import { SERVER_INFO } from '../methods/self.ts';
import { ask, type Asked, type AskOptions } from './ask.ts';
import { doubtRefused } from './era-doubts.ts';
import { legacyHeaders } from './headers.ts';
import { refuseBroken } from './judge.ts';
import { readHostRefusal } from './upstream-error.ts';
import type { Upstream } from './upstreams.ts';
import type { LocatedSession, Way } from './ways.ts';

/** `initialize` of our own goes out under this id; nothing else is in flight on a session that does not exist yet. */
const INITIALIZE_ID = 'patchbay-initialize';
const SET_LEVEL_ID = 'patchbay-set-level';
const SUBSCRIBES_AT_ONCE = 16;
const NEWEST_LEGACY = '2025-11-25';
/** Longer ones would not come through as a header. */
const SESSION_ID_FORM = /^[\x21-\x7e]{1,1024}$/;

/** As whom a session is opened: what its client declared, and in which revision it speaks. */
export type SessionOpening = Pick<InitializeInput, 'capabilities' | 'clientInfo' | 'protocolVersion'> & {
  /** null: log messages are not wanted, or nothing was said of them. */
  readonly logLevel: string | null;
  /** URIs whose changes its client wants to hear of. */
  readonly subscriptions: readonly string[];
};

/** For whoever declared nothing: the upstream has nobody to ask. */
export const WITHOUT_CLIENT: SessionOpening = {
  capabilities: '{}',
  clientInfo: JSON.stringify({ name: SERVER_INFO.name, version: SERVER_INFO.version }),
  protocolVersion: NEWEST_LEGACY,
  logLevel: null,
  subscriptions: [],
};

/** Opens a session with a legacy server by a real `initialize` and `notifications/initialized`, and says what its client has said before. */
export async function openSession(upstream: Upstream, way: Way, opening: SessionOpening): Promise<LocatedSession | Refusal> {
  const body = initializeRequest({ id: INITIALIZE_ID, ...opening });
  const answered = await sendInitialize(upstream, way, { body, id: INITIALIZE_ID });
  if ('code' in answered) return answered;
  const session = readSession(upstream, way, answered);
  if ('code' in session) return session;
  // On the way that opened it, whatever is thought of its host by now: failing there, another host is tried.
  const notified = await ask({ ...over(way, upstream, { session, body: INITIALIZED_NOTIFICATION }), id: null });
  if ('code' in notified) return notified;
  const says = (request: OwnRequest) => ask({ ...over(way, upstream, { session, body: requestText(request) }), id: request.id });
  await repeat(opening, answered.body, says);
  return session;
}

type OwnRequest = { readonly id: string; readonly method: string; readonly params: object };

function requestText(request: OwnRequest): string {
  return JSON.stringify({ jsonrpc: '2.0', ...request });
}

/** A server that takes no level logs as it likes, and one may know a resource no more; the call is no worse for it. */
async function repeat(
  { logLevel, subscriptions }: SessionOpening,
  answer: Buffer,
  says: (request: OwnRequest) => Promise<unknown>,
): Promise<void> {
  if (logLevel !== null && sliceMember(answer, ['result', 'capabilities', 'logging']) !== null)
    await says({ id: SET_LEVEL_ID, method: 'logging/setLevel', params: { level: logLevel } });
  for (let from = 0; from < subscriptions.length; from += SUBSCRIBES_AT_ONCE) {
    const uris = subscriptions.slice(from, from + SUBSCRIBES_AT_ONCE);
    await Promise.all(
      uris.map((uri, index) => says({ id: `patchbay-subscribe-${from + index}`, method: 'resources/subscribe', params: { uri } })),
    );
  }
}

/** Sends an `initialize` that stands ready as bytes, our own or a client's. A server known to be legacy that refuses it may not be that any more. */
export function sendInitialize(
  upstream: Upstream,
  way: Way,
  { body, id }: { body: Buffer | string; id: string | number },
): Promise<Asked | Refusal> {
  const { catalogue, kind } = upstream.server;
  const isRemoteLegacy = kind === 'streamable-http' && catalogue?.era === 'legacy';
  const watch = isRemoteLegacy ? { onStatus: (status: number) => doubtRefused(upstream, status) } : {};
  return ask({ ...over(way, upstream, { session: null, body }), id, ...watch });
}

/** What an answer to `initialize` opened. A server that gives no session id is used without one. */
export function readSession({ server }: Upstream, { instance }: Way, { body, headers, status }: Asked): LocatedSession | Refusal {
  const hostRefusal = server.kind === 'stdio' ? readHostRefusal(body) : null;
  if (hostRefusal !== null) return hostRefusal;
  if (status >= 300) return refuseBroken(server.slug, `answered initialize with HTTP ${status}`);
  const span = sliceMember(body, ['result', 'protocolVersion']);
  const protocolVersion: unknown = span === null ? null : JSON.parse(body.toString('utf8', span.start, span.end));
  if (typeof protocolVersion !== 'string') return refuseBroken(server.slug, 'refused initialize, or answered it without a version');
  if (!isLegacyVersion(protocolVersion))
    return refuseBroken(server.slug, 'answered initialize with a protocol version that it was not offered');
  const id = headers['mcp-session-id'] ?? null;
  if (id !== null && (typeof id !== 'string' || !SESSION_ID_FORM.test(id)))
    return refuseBroken(server.slug, 'gave a session id that is not a header value');
  return { id, protocolVersion, instance };
}

/** Sends a request that is not a call and stands ready as bytes. A status of 404: the session is gone. */
export async function askInSession(
  upstream: Upstream,
  session: LocatedSession,
  { body, id }: { body: Buffer | string; id: string | number },
): Promise<Asked | Refusal> {
  const way = upstream.ways.to(session);
  return way === null ? refusal('session.gone') : ask({ ...over(way, upstream, { session, body }), id });
}

/** Posts a notification or response. Its status is the answer; a server's 4xx is not our caller's business. */
export async function notify(upstream: Upstream, session: LocatedSession, body: Buffer | string): Promise<Asked | Refusal> {
  const way = upstream.ways.to(session);
  return way === null ? refusal('session.gone') : ask({ ...over(way, upstream, { session, body }), id: null });
}

/** Tells a server that its session is over; never fails, for there is nothing to be done about it. */
export async function closeSession(upstream: Upstream, session: LocatedSession): Promise<void> {
  const way = session.id === null ? null : upstream.ways.to(session);
  if (way === null) return;
  const options = over(way, upstream, { session, body: null });
  await ask({ ...options, request: { ...options.request, method: 'DELETE' }, id: null });
}

function over(
  { giveUp, path, pool }: Way,
  upstream: Upstream,
  { body, session }: { session: LocatedSession | null; body: Buffer | string | null },
): Omit<AskOptions, 'id'> {
  const { slug, timeouts } = upstream.server;
  const headers = legacyHeaders(upstream, session);
  return { request: { pool, method: 'POST', path, headers, body, timeoutMs: timeouts.requestMs }, slug, onUnsent: giveUp };
}
