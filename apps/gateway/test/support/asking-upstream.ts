import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { type EventStore, StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  type ClientCapabilities,
  CreateMessageResultSchema,
  ElicitResultSchema,
  type JSONRPCMessage,
  ListRootsResultSchema,
  type ServerNotification,
  type ServerRequest,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js';
import { listen, type Listening } from '@patchbay/testkit';

export type AskingUpstream = Listening & {
  /** What each session was opened with. */
  readonly opened: (ClientCapabilities | undefined)[];
  /** How often each tool was executed, by name. */
  readonly executed: Map<string, number>;
  /** Level of each `logging/setLevel`. */
  readonly levels: string[];
  /** Each `resources/subscribe` (+) and `unsubscribe` (-) with its URI. */
  readonly subscriptions: string[];
  /** Methods, header sets and messages as they came. */
  readonly seen: { readonly method: string; readonly lastEventId: string | undefined; readonly body: string }[];
  forgetSessions(): void;
};

export type AskingSpec = {
  /** Its streams can be taken up again. */
  readonly isNumbered: boolean;
  /** It never answers who wants its general stream. */
  readonly isSilent?: boolean;
};

/** A real server of revision 2025-11-25 on the official SDK 1.x whose tools ask their client for something. */
export async function startAskingUpstream({ isNumbered, isSilent = false }: AskingSpec): Promise<AskingUpstream> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const state = { opened: [], executed: new Map(), levels: [], subscriptions: [], seen: [] } as Pick<
    AskingUpstream,
    'opened' | 'executed' | 'levels' | 'subscriptions' | 'seen'
  >;
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void transports.set(id, transport),
      onsessionclosed: (id) => void transports.delete(id),
      ...(isNumbered ? { eventStore: new EventLog(), retryInterval: 50 } : {}),
    });
    await askingServer(state).connect(transport);
    return transport;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = request.method === 'POST' ? await readText(request) : '';
    const { 'last-event-id': lastEventId, 'mcp-session-id': id } = request.headers;
    state.seen.push({ method: request.method ?? '', lastEventId: lastEventId?.toString(), body });
    if (isSilent && request.method === 'GET' && lastEventId === undefined) return;
    const transport = typeof id === 'string' ? transports.get(id) : await open();
    if (transport !== undefined) return transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body));
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
  };
  const listening = await listen((request, response) => void serve(request, response));
  return { ...listening, ...state, forgetSessions: () => transports.clear() };
}

const NAME = { type: 'object' as const, properties: { name: { type: 'string' as const } }, required: ['name'] };
const text = (value: string): { content: { type: 'text'; text: string }[] } => ({ content: [{ type: 'text', text: value }] });

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;
type State = Pick<AskingUpstream, 'opened' | 'executed' | 'levels' | 'subscriptions'>;

function askingServer({ executed, levels, opened, subscriptions }: State): McpServer {
  const capabilities = { logging: {}, resources: { subscribe: true } };
  const server = new McpServer({ name: 'asking-fixture', version: '1.0.0' }, { capabilities });
  server.server.oninitialized = () => void opened.push(server.server.getClientCapabilities());
  const count = (name: string): void => void executed.set(name, (executed.get(name) ?? 0) + 1);
  const tool = (name: string, run: (extra: Extra) => Promise<ReturnType<typeof text>>): void => {
    server.registerTool(name, { description: name }, (extra) => {
      count(name);
      return run(extra);
    });
  };
  const form = (extra: Extra, message: string) =>
    extra.sendRequest({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema: NAME } }, ElicitResultSchema);
  tool('ask', async (extra) => {
    const { action, content } = await form(extra, 'Your name?');
    return text(action === 'accept' ? `Hello ${String(content?.['name'])}` : action);
  });
  tool('ask_twice', async (extra) => {
    const first = await form(extra, 'First name?');
    const second = await form(extra, 'Last name?');
    return text(`${String(first.content?.['name'])} ${String(second.content?.['name'])}`);
  });
  tool('ask_three', async (extra) => {
    const [elicited, sampled, listed] = await Promise.all([
      form(extra, 'Your name?'),
      extra.sendRequest(
        {
          method: 'sampling/createMessage',
          params: { messages: [{ role: 'user', content: { type: 'text', text: 'Greet' } }], maxTokens: 9 },
        },
        CreateMessageResultSchema,
      ),
      extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema),
    ]);
    const greeting = sampled.content.type === 'text' ? sampled.content.text : '?';
    return text(`${greeting} ${String(elicited.content?.['name'])} of ${listed.roots[0]?.uri ?? '?'}`);
  });
  const completion = {
    messages: [{ role: 'user' as const, content: { type: 'text' as const, text: 'Greet' } }],
    includeContext: 'thisServer' as const,
    maxTokens: 9,
  };
  const said = (result: Promise<{ model: string }>): Promise<ReturnType<typeof text>> =>
    result.then(
      ({ model }) => text(model),
      (error: unknown) => text(String(error)),
    );
  tool('sample', (extra) => said(extra.sendRequest({ method: 'sampling/createMessage', params: completion }, CreateMessageResultSchema)));
  tool('sample_elsewhere', () =>
    said(server.server.request({ method: 'sampling/createMessage', params: completion }, CreateMessageResultSchema)),
  );
  tool('progress_and_ask', async (extra) => {
    const progressToken = extra._meta?.progressToken;
    const report = async (progress: number): Promise<void> => {
      if (progressToken !== undefined)
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } });
    };
    await report(1);
    const { content } = await form(extra, 'Your name?');
    await report(2);
    return text(String(content?.['name']));
  });
  // As many servers do it: what they ask names no call, and so goes out on the session's general stream.
  tool('ask_elsewhere', async () => {
    const params = { mode: 'form' as const, message: 'Your name?', requestedSchema: NAME };
    const { content } = await server.server.request({ method: 'elicitation/create', params }, ElicitResultSchema);
    return text(`Hello ${String(content?.['name'])}`);
  });
  tool('withdraws_elsewhere', async () => {
    const giveUp = new AbortController();
    setTimeout(() => giveUp.abort(), 10);
    const params = { mode: 'form' as const, message: 'Your name?', requestedSchema: NAME };
    await server.server.request({ method: 'elicitation/create', params }, ElicitResultSchema, { signal: giveUp.signal }).catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, 150));
    return text('never mind');
  });
  tool('progress_elsewhere', async (extra) => {
    const progressToken = extra._meta?.progressToken;
    if (progressToken !== undefined)
      await server.server.notification({ method: 'notifications/progress', params: { progressToken, progress: 7 } });
    await new Promise((resolve) => setTimeout(resolve, 100));
    return text('done');
  });
  tool('falls_back', async (extra) => {
    const elicited = await form(extra, 'Your name?').catch(() => null);
    return text(elicited === null ? 'without a name' : 'with a name');
  });
  tool('log', async (extra) => {
    await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data: 'logged' } });
    return text('done');
  });
  tool('cut', async (extra) => {
    extra.closeSSEStream?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return text('after the cut');
  });
  tool('phish', async (extra) => {
    const params = { mode: 'url' as const, elicitationId: 'e2', message: 'Sign in', url: 'https://patchbay.example/connect' };
    const asked = await extra.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema).catch(() => null);
    return text(asked === null ? 'refused' : 'sent there');
  });
  tool('touch', async () => {
    await server.server.sendResourceUpdated({ uri: 'note://one' });
    return text('touched');
  });
  let links = 0;
  tool('link', async () => {
    links += 1;
    if (links > 1) return text('linked');
    const url = 'https://example.com/connect';
    throw new UrlElicitationRequiredError([{ mode: 'url', elicitationId: 'e1', message: 'Connect first', url }]);
  });
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscriptions.push(`+${params.uri}`);
    return {};
  });
  server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscriptions.push(`-${params.uri}`);
    return {};
  });
  server.server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    levels.push(params.level);
    return {};
  });
  return server;
}

/** What one session sent. Ids are positions. */
class EventLog implements EventStore {
  readonly #events: { readonly streamId: string; readonly message: JSONRPCMessage }[] = [];

  storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    return Promise.resolve(String(this.#events.push({ streamId, message }) - 1));
  }

  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return Promise.resolve(this.#events[Number(eventId)]?.streamId);
  }

  async replayEventsAfter(lastEventId: string, { send }: Parameters<EventStore['replayEventsAfter']>[1]): Promise<string> {
    const streamId = this.#events[Number(lastEventId)]?.streamId ?? '';
    for (const [index, event] of this.#events.entries())
      if (index > Number(lastEventId) && event.streamId === streamId && Object.keys(event.message).length > 0)
        await send(String(index), event.message);
    return streamId;
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
