import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { catalog, type Refusal } from '@patchbay/errors';
import { errorText } from '../process/rpc-text.ts';

/** One JSON body. Does nothing when the answer has begun or the caller has left. */
export function sendJson(response: ServerResponse, status: number, body: Buffer | string, headers: OutgoingHttpHeaders = {}): void {
  if (response.headersSent || response.destroyed) return;
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, 'cache-control': 'no-store', ...headers });
  response.end(body);
}

/** A refusal of the HTTP request itself, with the catalogue's status. Whatever of the body was not read is not waited for. */
export function sendRefusal(response: ServerResponse, refused: Refusal, idText = 'null'): void {
  const unread = !response.req.complete;
  sendJson(response, catalog[refused.code].http, errorText(idText, refused), unread ? { connection: 'close' } : {});
}

/** An error in answer to a JSON-RPC request: HTTP 200, so that no client takes it for a broken transport. */
export function sendRpcError(response: ServerResponse, idText: string, refused: Refusal): void {
  sendJson(response, 200, errorText(idText, refused));
}
