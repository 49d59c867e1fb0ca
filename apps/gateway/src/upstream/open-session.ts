import { type Refusal, refusal } from '@patchbay/errors';
import { INITIALIZED_NOTIFICATION, type InitializeInput, initializeRequest, isLegacyVersion, sliceMember } from '@patchbay/mcp-wire';
import { SERVER_INFO } from '../methods/self.ts';
import { ask, type Asked, type AskOptions } from './ask.ts';
import { legacyHeaders } from './headers.ts';
import { refuseBroken } from './judge.ts';
import { readHostRefusal } from './upstream-error.ts';
import type { Upstream } from './upstreams.ts';
import type { LocatedSession, Way } from './ways.ts';

/** `initialize` of our own goes out under this id; nothing else is in flight on a session that does not exist yet. */
const INITIALIZE_ID = 'patchbay-initialize';
const SET_LEVEL_ID = 'patchbay-set-level';
const NEWEST_LEGACY = '2025-11-25';
/** Longer ones would not come through as a header. */
const SESSION_ID_FORM = /^[\x21-\x7e]{1,1024}$/;

/** As whom a session is opened: what its client declared, and in which revision it speaks. */
export type SessionOpening = Pick<InitializeInput, 'capabilities' | 'clientInfo' | 'protocolVersion'> & {
  /** null: log messages are not wanted, or nothing was said of them. */
  readonly logLevel: string | null;
};

/** For whoever declared nothing: the upstream has nobody to ask. */
export const WITHOUT_CLIENT: SessionOpening = {
  capabilities: '{}',
  clientInfo: JSON.stringify({ name: SERVER_INFO.name, version: SERVER_INFO.version }),
  protocolVersion: NEWEST_LEGACY,
  logLevel: null,
};

/** Opens a session with a legacy server by a real `initialize` and `notifications/initialized`. */
export async function openSession(
  upstream: Upstream,
  way: Way,
  { logLevel, ...client }: SessionOpening,
): Promise<LocatedSession | Refusal> {
  const body = initializeRequest({ id: INITIALIZE_ID, ...client });
  const answered = await sendInitialize(upstream, way, { body, id: INITIALIZE_ID });
  if ('code' in answered) return answered;
  const session = readSession(upstream, way, answered);
  if ('code' in session) return session;
  // On the way that opened it, whatever is thought of its host by now: failing there, another host is tried.
  const notified = await ask({ ...over(way, upstream, { session, body: INITIALIZED_NOTIFICATION }), id: null });
  if ('code' in notified) return notified;
  if (logLevel !== null && sliceMember(answered.body, ['result', 'capabilities', 'logging']) !== null)
    await ask({ ...over(way, upstream, { session, body: setLevel(logLevel) }), id: SET_LEVEL_ID });
  return session;
}

/** A server that takes no level logs as it likes; the call is no worse for it. */
function setLevel(level: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id: SET_LEVEL_ID, method: 'logging/setLevel', params: { level } });
}

/** Sends an `initialize` that stands ready as bytes, our own or a client's. */
export function sendInitialize(
  upstream: Upstream,
  way: Way,
  { body, id }: { body: Buffer | string; id: string | number },
): Promise<Asked | Refusal> {
  return ask({ ...over(way, upstream, { session: null, body }), id });
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

/** Posts a notification or response. Its status is the answer; a server's 4xx is not our caller's business. */
export async function notify(upstream: Upstream, session: LocatedSession, body: Buffer | string): Promise<Asked | Refusal> {
  const way = upstream.ways.to(session);
  return way === null ? refusal('session.gone') : ask({ ...over(way, upstream, { session, body }), id: null });
}

/** Asks something small on a session: a request that stands ready as bytes. */
export async function askOn(
  upstream: Upstream,
  session: LocatedSession,
  { body, id }: { body: string; id: string },
): Promise<Asked | Refusal> {
  const way = upstream.ways.to(session);
  return way === null ? refusal('session.gone') : ask({ ...over(way, upstream, { session, body }), id });
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
