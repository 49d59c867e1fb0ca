import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, type Listening } from './listen.ts';

/** How a hostile upstream answers `tools/call` for the tool of the same name. */
export const HOSTILE_TOOLS = [
  'hang',
  'die',
  'html',
  'redirect',
  'garbage',
  'not-json',
  'wrong-id',
  'cut-stream',
  'unauthorized',
  'empty',
  'ok',
] as const;
export type HostileTool = (typeof HOSTILE_TOOLS)[number];

/** A legacy server that discovers well and then misbehaves, each tool in its own way; `ok` behaves. */
export async function startHostileUpstream(port = 0): Promise<Listening> {
  return listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
  }, port);
}

type Message = { id?: string | number; method: string; params?: { name?: string } };

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.method !== 'POST') return void response.writeHead(405).end();
  const message = JSON.parse(body) as Message;
  if (message.id === undefined) return void response.writeHead(202).end();
  switch (message.method) {
    case 'initialize':
      return json(response, message, {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'hostile', version: '0' },
      });
    case 'tools/list':
      return json(response, message, {
        tools: HOSTILE_TOOLS.map((name) => ({ name, description: name, inputSchema: { type: 'object' } })),
      });
    case 'tools/call':
      return misbehave(response, message, message.params?.name as HostileTool);
    default:
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } }));
  }
}

function misbehave(response: ServerResponse, message: Message, tool: HostileTool): void {
  switch (tool) {
    case 'hang':
      return;
    case 'die':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"jsonrpc":"2.0",');
      return void setTimeout(() => response.destroy(), 20);
    case 'html':
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>It works!</html>');
    case 'redirect':
      return void response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
    case 'garbage':
      return void response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {{{{\n\ndata: [1\n\n');
    case 'not-json':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end('<<<<');
    case 'wrong-id':
      return json(response, { ...message, id: 'somebody-else' }, { content: [] });
    case 'cut-stream':
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hello\n\n');
      return void setTimeout(() => response.destroy(), 20);
    case 'unauthorized':
      return void response.writeHead(401, { 'www-authenticate': 'Bearer realm="upstream"' }).end();
    case 'empty':
      return void response.writeHead(200).end();
    case 'ok':
      return json(response, message, { content: [{ type: 'text', text: 'fine' }] });
  }
}

function json(response: ServerResponse, message: Message, result: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
}
