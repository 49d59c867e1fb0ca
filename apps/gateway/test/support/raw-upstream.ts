import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { listen, type Listening } from '@patchbay/testkit';

export type RawRequest = {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly message: { id?: string | number; method: string; params?: Record<string, unknown>; result?: unknown; error?: { code: number } };
};
/** `keepsSessions`: false refuses `initialize`, as servers of revision 2026-07-28 alone do; `silent` never answers it. */
export type RawUpstream = Listening & { readonly seen: RawRequest[]; keepsSessions: boolean | 'silent' };

/** Answers a GET; without one there is no stream to be had. */
export type OnStream = (headers: IncomingHttpHeaders, response: ServerResponse) => void;

/** An upstream whose answer to everything but the handshake is written by the test, byte by byte. */
export async function startRawUpstream(
  answer: (request: RawRequest, response: ServerResponse) => void,
  onStream: OnStream | null = null,
): Promise<RawUpstream> {
  const seen: RawRequest[] = [];
  const server: Pick<RawUpstream, 'seen' | 'keepsSessions'> = { seen, keepsSessions: true };
  const listening = await listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      if (request.method === 'GET' && onStream !== null) return onStream(request.headers, response);
      if (text === '') return void response.writeHead(405).end();
      const received: RawRequest = { headers: request.headers, text, message: JSON.parse(text) as RawRequest['message'] };
      seen.push(received);
      if (received.message.id === undefined || received.message.method === undefined) return void response.writeHead(202).end();
      if (received.message.method === 'initialize' && !server.keepsSessions) {
        response.writeHead(404, { 'content-type': 'application/json' });
        const error = { code: -32601, message: 'Method not found' };
        return void response.end(JSON.stringify({ jsonrpc: '2.0', id: received.message.id, error }));
      }
      if (received.message.method === 'initialize' && server.keepsSessions === 'silent') return;
      if (received.message.method === 'initialize') {
        response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'raw-session' });
        const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'raw', version: '1' } };
        return void response.end(JSON.stringify({ jsonrpc: '2.0', id: received.message.id, result }));
      }
      answer(received, response);
    });
  });
  return Object.assign(server, listening);
}

/** Begins a stream of events and writes these. */
export function writeEvents(response: ServerResponse, ...messages: readonly unknown[]): void {
  if (!response.headersSent)
    response.writeHead(200, { 'content-type': 'text/event-stream', 'set-cookie': 'a=b', 'access-control-allow-origin': '*' });
  for (const message of messages) response.write(`event: message\nid: 7\ndata: ${JSON.stringify(message)}\n\n`);
}
