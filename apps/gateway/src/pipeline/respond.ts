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
  const id = JSON.stringify(ctx.message?.id ?? null);
  if (typeof result === 'string') {
    respondJson(ctx, 200, `{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    return;
  }
  respondJson(ctx, 200, Buffer.concat([Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":`), result, CLOSE]));
}

/** 202 without a body: a notification was taken. */
export function respondAccepted(ctx: CallContext): void {
  ctx.response.statusCode = 202;
  ctx.response.setHeader('content-length', 0);
  ctx.response.end();
}

const CLOSE = Buffer.from('}');
