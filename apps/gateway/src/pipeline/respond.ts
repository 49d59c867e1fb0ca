import { encodeSseEvent } from '@patchbay/mcp-wire';
import type { CallContext } from './context.ts';

/** Writes a whole JSON answer in one piece; nothing that upstreams or clients said becomes a header. */
export function respondJson(ctx: CallContext, status: number, body: string | Buffer): void {
  const { response } = ctx;
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', typeof body === 'string' ? Buffer.byteLength(body) : body.length);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.statusCode = status;
  response.end(body);
}

/** Answers a JSON-RPC request with a result that stands ready as bytes; the id is spliced in, its type kept. */
export function respondResult(ctx: CallContext, result: Buffer | string): void {
  const head = Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(ctx.message?.id ?? null)},"result":`);
  const body = Buffer.concat([head, typeof result === 'string' ? Buffer.from(result) : result, CLOSE]);
  if (prefersEvents(ctx)) respondEvent(ctx, body);
  else respondJson(ctx, 200, body);
}

/** A client with sessions that names event streams first is answered on one, as servers of its revisions do. */
function prefersEvents({ era, request }: CallContext): boolean {
  return era === 'legacy' && request.headers.accept?.trimStart().startsWith('text/event-stream') === true;
}

function respondEvent({ response }: CallContext, data: Buffer): void {
  response.statusCode = 200;
  response.setHeader('content-type', 'text/event-stream');
  response.setHeader('cache-control', 'no-cache, no-transform');
  response.setHeader('x-content-type-options', 'nosniff');
  response.end(encodeSseEvent({ event: 'message', data }));
}

/** 202 without a body: a notification was taken. */
export function respondAccepted(ctx: CallContext): void {
  ctx.response.statusCode = 202;
  ctx.response.setHeader('content-length', 0);
  ctx.response.end();
}

const CLOSE = Buffer.from('}');
