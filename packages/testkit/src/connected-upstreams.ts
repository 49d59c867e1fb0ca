import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { legacyServer } from './legacy-upstream.ts';
import { listen } from './listen.ts';

/** A real server of the official SDK 1.x on a transport that lives on one connection. It has a tool more, `ask`, that asks its client. */
export type ConnectedUpstream = {
  readonly url: string;
  /** Header sets of the requests received, oldest first. */
  readonly seenHeaders: IncomingMessage['headers'][];
  /** Connections that stand now. */
  connections(): number;
  /** Every connection hears that the tools changed. */
  addTool(name: string): void;
  /** Breaks them all, as a server that restarts would. */
  cut(): void;
  close(): Promise<void>;
};

type Server = ReturnType<typeof legacyServer>;

/** What the connections of one server have in common: each has an object of the SDK, and the tools that were added. */
class Served {
  readonly #servers = new Set<Server>();
  readonly #added: string[] = [];

  async connect(transport: Transport): Promise<void> {
    const made = server();
    for (const name of this.#added) addTo(made, name);
    this.#servers.add(made);
    made.server.onclose = () => this.#servers.delete(made);
    await made.connect(transport);
  }

  addTool(name: string): void {
    this.#added.push(name);
    for (const made of this.#servers) addTo(made, name);
  }
}

function addTo(made: Server, name: string): void {
  made.registerTool(name, { description: 'Was added' }, () => ({ content: [{ type: 'text', text: name }] }));
}

function server(): Server {
  const made = legacyServer(null);
  made.registerTool('ask', { description: 'Asks for a word', inputSchema: { message: z.string() } }, async ({ message }) => {
    const requestedSchema = { type: 'object' as const, properties: { word: { type: 'string' as const } } };
    const answer = await made.server.elicitInput({ message, requestedSchema });
    return { content: [{ type: 'text', text: `${answer.action} ${String(answer.content?.['word'])}` }] };
  });
  return made;
}

/** HTTP+SSE of 2024-11-05. */
export async function startSseUpstream(): Promise<ConnectedUpstream> {
  const seenHeaders: IncomingMessage['headers'][] = [];
  const transports = new Map<string, SSEServerTransport>();
  const served = new Served();
  const open = async (transport: SSEServerTransport): Promise<void> => {
    transports.set(transport.sessionId, transport);
    await served.connect(transport);
  };
  const listening = await listen((request, response) => {
    seenHeaders.push(request.headers);
    const url = new URL(request.url ?? '/', 'http://upstream');
    if (request.method === 'GET') {
      const transport = new SSEServerTransport('/messages', response);
      response.on('close', () => transports.delete(transport.sessionId));
      void open(transport);
      return;
    }
    const transport = transports.get(url.searchParams.get('sessionId') ?? '');
    if (transport === undefined) response.writeHead(404).end('Session not found');
    else void transport.handlePostMessage(request, response);
  });
  return {
    ...listening,
    url: listening.url.replace(/mcp$/, 'sse'),
    seenHeaders,
    connections: () => transports.size,
    addTool: (name) => served.addTool(name),
    cut: () => void Promise.all([...transports.values()].map((transport) => transport.close())),
  };
}

/** A WebSocket, a message a frame. */
export async function startWebSocketUpstream(): Promise<ConnectedUpstream> {
  const seenHeaders: IncomingMessage['headers'][] = [];
  const http = createServer();
  const served = new Served();
  const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'mcp' });
  sockets.on('connection', (socket, request) => {
    seenHeaders.push(request.headers);
    void served.connect(new SocketTransport(socket));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const cut = (): void => sockets.clients.forEach((socket) => socket.terminate());
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    seenHeaders,
    connections: () => sockets.clients.size,
    addTool: (name) => served.addTool(name),
    cut,
    close: () =>
      new Promise((resolve) => {
        cut();
        http.close(() => resolve());
      }),
  };
}

/** The SDK has this transport for clients alone. */
class SocketTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  start(): Promise<void> {
    this.#socket.on('message', (data: Buffer) => this.onmessage?.(JSON.parse(data.toString()) as JSONRPCMessage));
    this.#socket.on('close', () => this.onclose?.());
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.#socket.send(JSON.stringify(message));
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#socket.close();
    return Promise.resolve();
  }
}
