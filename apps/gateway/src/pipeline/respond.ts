import { encodeSseEvent } from '@patchbay/mcp-wire';
import type { CallContext } from './context.ts';

/** Writes a whole JSON answer in one piece; nothing that upstreams or clients said becomes a header. */
export function respondJson(ctx: CallContext, status: number, body: string | Buffer): void {
  head(ctx, status, typeof body === 'string' ? Buffer.byteLength(body) : body.length);
  ctx.response.end(body);
}

function head({ response }: CallContext, status: number, length: number): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
}

/**
 * Answers a JSON-RPC request with a result that stands ready; the id is spliced in, its type kept. Bytes are written as they are: a copy of
 * a long list for each caller costs more than everything else about it.
 */
export function respondResult(ctx: CallContext, result: Buffer | string): void {
  const before = `{"jsonrpc":"2.0","id":${JSON.stringify(ctx.message?.id ?? null)},"result":`;
  if (prefersEvents(ctx)) {
    respondEvent(ctx, Buffer.concat([Buffer.from(before), Buffer.from(result), CLOSE]));
  } else if (typeof result === 'string') {
    respondJson(ctx, 200, `${before}${result}}`);
  } else {
    head(ctx, 200, Buffer.byteLength(before) + result.length + CLOSE.length);
    ctx.response.write(before);
    ctx.response.write(result);
    ctx.response.end(CLOSE);
  }
}

/** A client with sessions that names event streams first is answered on one, as servers of its revisions do. */
function prefersEvents({ era, request }: CallContext): boolean {
  return era === 'legacy' && request.headers.accept?.trimStart().startsWith('text/event-stream') === true;
}

function respondEvent({ response }: CallContext, data: Buffer): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-content-type-options': 'nosniff',
  });
  response.end(encodeSseEvent({ event: 'message', data }));
}

/** 202 without a body: a notification was taken. */
export function respondAccepted(ctx: CallContext): void {
  ctx.response.statusCode = 202;
  ctx.response.setHeader('content-length', 0);
  ctx.response.end();
}

const CLOSE = Buffer.from('}');
