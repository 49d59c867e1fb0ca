import { catalog, type ErrorCode, type Refusal, sayOf } from '@patchbay/errors';
import { encodeSseEvent, type MessageId } from '@patchbay/mcp-wire';
import type { CallContext } from './context.ts';
import { respondJson } from './respond.ts';

/** Vendor key of a refused tool call's `_meta`: code, revision. */
const ERROR_META_KEY = 'com.patchbay/error';

/**
 * Answers a refusal in the protocol's own form (architecture.md §4): HTTP before a JSON-RPC request stands; in-band after,
 * with HTTP 200 except where a revision pins a status; an `isError` result for a visible tool that could not run. The last event of a
 * stream that has begun; a body that has begun is cut.
 */
export function refuse(ctx: CallContext, refusal: Refusal): void {
  const { message, response } = ctx;
  if (response.headersSent) {
    const isStream = response.getHeader('content-type') === 'text/event-stream';
    if (isStream && message?.kind === 'request') response.end(encodeSseEvent({ event: 'message', data: inBand(ctx, message.id, refusal) }));
    else response.destroy();
    return;
  }
  if (message === null || message.kind !== 'request') {
    refuseOverHttp(ctx, refusal);
    return;
  }
  const status = isVisibleToolFailure(ctx, refusal.code) ? 200 : inBandStatus(ctx, refusal.code);
  respondJson(ctx, status, inBand(ctx, message.id, refusal));
}

function inBand(ctx: CallContext, messageId: MessageId | null, refusal: Refusal): string {
  const id = JSON.stringify(messageId);
  if (!isVisibleToolFailure(ctx, refusal.code)) return rpcError(ctx, id, refusal);
  return `{"jsonrpc":"2.0","id":${id},"result":${toolFailure(ctx, refusal)}}`;
}

function refuseOverHttp(ctx: CallContext, refusal: Refusal): void {
  const { http } = catalog[refusal.code];
  const status = http !== 200 ? http : refusal.code.startsWith('upstream.') ? 502 : 400;
  const { response } = ctx;
  // RFC 6750 §3.1. The same bytes for every bad token: strangers learn nothing (security.md §10).
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="patchbay", error="invalid_token"');
  if (status === 503) response.setHeader('retry-after', '2');
  if (hasLargeUnreadBody(ctx)) response.setHeader('connection', 'close');
  respondJson(ctx, status, rpcError(ctx, ctx.refusedId, refusal));
}

/** An unread body is drained to keep the connection only when that is cheap. */
function hasLargeUnreadBody({ request }: CallContext): boolean {
  if (request.complete) return false;
  const length = request.headers['content-length'];
  return length === undefined ? request.headers['transfer-encoding'] !== undefined : Number(length) > 65_536;
}

const PINNED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'rpc.parse',
  'rpc.invalid',
  'rpc.batch',
  'rpc.ambiguous',
  'rpc.too_complex',
  'rpc.header_mismatch',
  'rpc.unsupported_version',
  'session.gone',
  'endpoint.forbidden',
]);
/** Statuses that revision 2026-07-28 pins (streamable HTTP) and the earlier ones do not. */
const PINNED_MODERN: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['rpc.method_unknown', 'rpc.params', 'rpc.capability_missing']);

function inBandStatus(ctx: CallContext, code: ErrorCode): number {
  return PINNED.has(code) || (ctx.era === 'modern' && PINNED_MODERN.has(code)) ? catalog[code].http : 200;
}

function isVisibleToolFailure(ctx: CallContext, code: ErrorCode): boolean {
  const visible = ctx.grantId !== '' && ctx.target?.kind === 'upstream' && ctx.message?.method === 'tools/call';
  return visible && (code.startsWith('upstream.') || code.startsWith('stdio.') || code.startsWith('limit.'));
}

function toolFailure(ctx: CallContext, refusal: Refusal): string {
  return JSON.stringify({
    ...(ctx.era === 'modern' ? { resultType: 'complete' } : {}),
    content: [{ type: 'text', text: sayOf(refusal) }],
    isError: true,
    _meta: { [ERROR_META_KEY]: { code: refusal.code, revision: ctx.snapshot?.revision, ...refusal.data } },
  });
}

/** JSON text of the error that answers the request with this id (JSON text). */
export function rpcError(ctx: CallContext, id: string, refusal: Refusal): string {
  const data = { ...refusal.data, code: refusal.code };
  const code = legacyCode(ctx, refusal.code);
  return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify({ code, message: sayOf(refusal), data })}}`;
}

/** Revisions before 2026-07-28 have their own number for a resource that is not there. */
function legacyCode(ctx: CallContext, code: ErrorCode): number {
  return code === 'resource.unknown' && ctx.era === 'legacy' ? -32002 : catalog[code].rpc;
}
