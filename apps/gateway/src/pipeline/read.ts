import type { IncomingMessage } from 'node:http';
import { type Refusal, refusal } from '@patchbay/errors';
import { ASSUMED_LEGACY_VERSION, checkModernHeaders, classify, MODERN_VERSION, type ScannedMessage, scanMessage } from '@patchbay/mcp-wire';
import { decide } from '@patchbay/policy';
import type { OpenSession } from '../sessions/session-opener.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from './context.ts';

export type ReadDeps = {
  readonly bodyLimitBytes: number;
  readonly openSession: OpenSession;
  /** Begins the call's span; a function that does nothing when tracing is off. */
  readonly trace: (ctx: CallContext) => void;
};

/** Reads and scans the body once, classifies the era once, opens the sealed session. What it accepts may travel on as bytes. */
export function makeRead({ bodyLimitBytes, openSession, trace }: ReadDeps): Step {
  const readMessage = makeReadMessage(openSession, trace);
  return function read(ctx: CallContext): Outcome | Promise<Outcome> {
    // A body is only worth reading at an endpoint that this caller may use; missing and not granted are one answer.
    if (!findEndpoint(ctx)) return refusal('endpoint.forbidden');
    const { method } = ctx.request;
    if (method === 'GET') return readGet(ctx, openSession);
    if (method === 'DELETE') {
      if (ctx.request.headers['mcp-session-id'] === undefined) return refusal('session.gone');
      return useSession(ctx, openSession);
    }
    const refused = judgeHeaders(ctx.request, bodyLimitBytes);
    if (refused !== undefined) return refused;
    if (ctx.request.headers.expect !== undefined) ctx.response.writeContinue();
    return readBody(ctx.request, bodyLimitBytes).then((body) => {
      if (body === ABORTED) {
        ctx.outcome = 'cancelled';
        return ANSWERED;
      }
      if (!Buffer.isBuffer(body)) return body;
      ctx.body = body;
      return readMessage(ctx);
    });
  };
}

/** A stream belongs to a session: without one there is nothing that a server could have to say. */
function readGet(ctx: CallContext, openSession: OpenSession): Outcome | Promise<Outcome> {
  const { accept, 'mcp-session-id': sessionId } = ctx.request.headers;
  if (sessionId === undefined) {
    ctx.response.setHeader('allow', 'POST, DELETE');
    return refusal('http.method', 'Without a session there is no stream: answers come on the POST that asked.');
  }
  const takesEvents = accept === undefined || accept.includes('text/event-stream') || accept.includes('*/*');
  return takesEvents ? useSession(ctx, openSession) : refusal('http.not_acceptable', 'A stream is text/event-stream.');
}

function findEndpoint(ctx: CallContext): boolean {
  const { principal, serverSlug, snapshot } = ctx;
  if (snapshot === null || principal === null) return false;
  if (serverSlug === null) return true;
  const server = snapshot.serversBySlug.get(serverSlug);
  if (server === undefined || decide(snapshot.grants, principal, server.id, { kind: 'server', name: server.slug }).kind === 'deny')
    return false;
  ctx.endpointServer = server;
  return true;
}

function judgeHeaders({ headers }: IncomingMessage, bodyLimitBytes: number): Refusal | undefined {
  const mediaType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') return refusal('http.media_type');
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
    return refusal('http.media_type', 'Content-Encoding is not supported.');
  const accept = headers.accept?.toLowerCase() ?? '*/*';
  const takesBoth = accept.includes('application/json') && accept.includes('text/event-stream');
  if (!takesBoth && !accept.includes('*/*')) return refusal('http.not_acceptable');
  if (Number(headers['content-length'] ?? 0) > bodyLimitBytes) return tooLarge(bodyLimitBytes);
  return undefined;
}

function tooLarge(bodyLimitBytes: number): Refusal {
  return refusal('http.body_too_large', `The limit is ${bodyLimitBytes} bytes.`);
}

const ABORTED = Symbol('aborted');

function readBody(request: IncomingMessage, bodyLimitBytes: number): Promise<Buffer | Refusal | typeof ABORTED> {
  return new Promise((resolve) => {
    let bytes = 0;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyLimitBytes) {
        request.pause();
        request.removeAllListeners('data');
        resolve(tooLarge(bodyLimitBytes));
        return;
      }
      chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    request.on('close', () => resolve(ABORTED));
    request.on('error', () => resolve(ABORTED));
  });
}

const UNANSWERABLE = ['_meta', '_meta.progressToken'] as const;

function makeReadMessage(openSession: OpenSession, trace: ReadDeps['trace']): Step {
  return function readMessage(ctx: CallContext): Outcome | Promise<Outcome> {
    const scanned = scanMessage(ctx.body);
    if (!scanned.ok) {
      ctx.refusedId = JSON.stringify(scanned.id);
      return scanned.refusal;
    }
    const { message } = scanned;
    const { headers } = ctx.request;
    const classified = classify({ method: 'POST', protocolVersionHeader: headers['mcp-protocol-version'], message });
    ctx.message = message;
    if ('refusal' in classified) {
      ctx.era = 'modern';
      return classified.refusal;
    }
    ctx.era = classified.era;
    trace(ctx);
    // Servers drop such a message without an answer: its caller would hold a place there until the timeout.
    const dropped = UNANSWERABLE.find((member) => message.wrongTypes.includes(member));
    if (dropped !== undefined) return refusal('rpc.params', `params.${dropped} has the wrong type.`);
    if (classified.era === 'modern') {
      ctx.protocolVersion = MODERN_VERSION;
      return message.kind === 'request' ? (checkModernHeaders(headers, message) ?? undefined) : undefined;
    }
    return readLegacy(ctx, message, openSession);
  };
}

/** protocol.md trap 20: a missing version header means 2025-03-26; `initialize` itself carries neither header nor session. */
function readLegacy(ctx: CallContext, message: ScannedMessage, openSession: OpenSession): Outcome | Promise<Outcome> {
  const { 'mcp-protocol-version': version, 'mcp-session-id': sessionId } = ctx.request.headers;
  if (message.method === 'initialize') return undefined;
  ctx.protocolVersion = typeof version === 'string' ? version : ASSUMED_LEGACY_VERSION;
  return sessionId === undefined ? undefined : useSession(ctx, openSession);
}

function useSession(ctx: CallContext, openSession: OpenSession): Outcome | Promise<Outcome> {
  const { endpointServer, principal, request } = ctx;
  const sessionId = request.headers['mcp-session-id'];
  if (principal === null || typeof sessionId !== 'string') return refusal('session.gone');
  const { organisationId, userId } = principal;
  const opened = openSession({ organisationId, serverId: endpointServer?.id ?? null, userId }, sessionId);
  const use = (session: Awaited<typeof opened>): Outcome => {
    if ('code' in session) return session;
    ctx.session = session;
    ctx.protocolVersion = session.protocolVersion;
    return undefined;
  };
  return opened instanceof Promise ? opened.then(use) : use(opened);
}
