import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { SubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';
import { listen, type Listening } from './listen.ts';

/** Told of each time that the tool `mark` runs. */
export type OnMark = (id: string) => Promise<void> | void;

export type LegacyUpstream = Listening & {
  /** Session ids that stand now. */
  sessions(): string[];
  /** Forgets every session, as a restarted server would: their next request gets 404. */
  forgetSessions(): void;
  /** Ends the streams that clients opened by GET, without a word. */
  cutStreams(): void;
  /** From now on it has a tool more, which it tells each session that stands. */
  addTool(name: string): void;
  /** Tells each session that subscribed to this resource that it was updated. */
  updateResource(uri: string): void;
  /** Header sets of the requests received, oldest first. */
  readonly seenHeaders: IncomingMessage['headers'][];
};

/**
 * A real server of revision 2025-11-25 with sessions, on the official SDK 1.x: tools, prompts, resources, templates, completion, progress.
 * With `onMark` it has one tool more, `mark`, that passes its `id` on and answers when that has been taken.
 */
export async function startLegacyUpstream(port = 0, onMark: OnMark | null = null): Promise<LegacyUpstream> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const seenHeaders: IncomingMessage['headers'][] = [];
  const streams = new Set<ServerResponse>();
  const servers = new Set<McpServer>();
  const added: string[] = [];
  const subscribed = new Map<McpServer, Set<string>>();
  const open = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => {
        transports.set(id, transport);
      },
      onsessionclosed: (id) => {
        transports.delete(id);
      },
    });
    const server = legacyServer(onMark);
    for (const name of added) addTo(server, name);
    servers.add(server);
    takeSubscriptions(server, subscribed);
    await server.connect(transport);
    await transport.handleRequest(request, response);
  };
  const listening = await listen((request, response) => {
    seenHeaders.push(request.headers);
    if (request.method === 'GET') streams.add(response);
    const id = request.headers['mcp-session-id'];
    if (typeof id !== 'string') return void open(request, response);
    const transport = transports.get(id);
    if (transport !== undefined) return void transport.handleRequest(request, response);
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
  }, port);
  return {
    ...listening,
    seenHeaders,
    sessions: () => [...transports.keys()],
    forgetSessions: () => transports.clear(),
    cutStreams() {
      for (const stream of streams) stream.destroy();
      streams.clear();
    },
    updateResource(uri) {
      for (const [server, uris] of subscribed) if (uris.has(uri)) server.server.sendResourceUpdated({ uri }).catch(() => undefined); // its client is gone
    },
    addTool(name) {
      added.push(name);
      for (const server of servers) addTo(server, name);
    },
  };
}

/** To `note://` resources; anything else is refused. */
function takeSubscriptions(server: McpServer, subscribed: Map<McpServer, Set<string>>): void {
  const uris = new Set<string>();
  subscribed.set(server, uris);
  server.server.registerCapabilities({ resources: { subscribe: true } });
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    if (!params.uri.startsWith('note://')) throw new Error('no such resource');
    uris.add(params.uri);
    return {};
  });
}

function addTo(server: McpServer, name: string): void {
  server.registerTool(name, { description: 'Was added' }, () => text(name));
}

/** The server behind it, for one client, over whichever transport. */
export function legacyServer(onMark: OnMark | null): McpServer {
  const server = new McpServer(
    { name: 'legacy-fixture', version: '1.2.3' },
    { instructions: 'Speak plainly.', capabilities: { logging: {} } },
  );
  let calls = 0;
  server.registerTool('echo', { description: 'Says it back', inputSchema: { message: z.string() } }, ({ message }) =>
    text(`legacy:${message}`),
  );
  server.registerTool('count', { description: 'Counts calls of this session' }, () => text(String(++calls)));
  server.registerTool('fail', { description: 'Fails as a tool' }, () => ({ ...text('it failed'), isError: true }));
  server.registerTool('steps', { description: 'Reports progress', inputSchema: { steps: z.number() } }, async ({ steps }, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (let progress = 1; progress <= steps; progress += 1) {
      if (progressToken !== undefined)
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: steps } });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return text(`${steps} steps`);
  });
  server.registerTool('sleep', { description: 'Waits', inputSchema: { ms: z.number() } }, async ({ ms }, extra) => {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      extra.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return text('slept');
  });
  if (onMark !== null)
    server.registerTool('mark', { description: 'Is counted', inputSchema: { id: z.string() } }, async ({ id }) => {
      await onMark(id);
      return text(id);
    });
  server.registerPrompt(
    'greet',
    {
      description: 'Greets',
      argsSchema: { name: completable(z.string(), (value) => ['ada', 'alan', 'grace'].filter((name) => name.startsWith(value))) },
    },
    ({ name }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
    }),
  );
  server.registerResource('note', 'note://one', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, text: 'first note' }],
  }));
  server.registerResource('file', new ResourceTemplate('file:///{+path}', { list: undefined }), {}, (uri) => ({
    contents: [{ uri: uri.href, text: `file ${uri.pathname}` }],
  }));
  return server;
}

function text(value: string): { content: { type: 'text'; text: string }[] } {
  return { content: [{ type: 'text', text: value }] };
}
