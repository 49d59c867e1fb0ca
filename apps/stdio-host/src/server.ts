import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { STDIO_HOST, type StdioHostStatus } from '@patchbay/contracts';
import { refusal } from '@patchbay/errors';
import { createListeningServer, isLoopbackName, makeHostCheck, mayReadMetrics, type PrivateListener } from '@patchbay/listening';
import type { Metrics } from '@patchbay/telemetry';
import type { Log } from './log.ts';
import { sendJson, sendRefusal } from './http/answers.ts';
import { EventResponse } from './http/event-response.ts';
import type { McpEndpoint } from './mcp-endpoint.ts';
import type { ListChanges } from './streams/list-changes.ts';

export type ServerOptions = {
  readonly listener: PrivateListener;
  /** Whether this is what callers must present; compares in constant time. */
  readonly knows: (secret: string) => boolean;
  readonly endpoint: McpEndpoint;
  readonly listChanges: Pick<ListChanges, 'attach' | 'detach'>;
  readonly metrics: Pick<Metrics, 'render'>;
  /** Told to stop: nothing new is taken. */
  readonly isStopping: () => boolean;
  readonly status: (serverId: string | null) => StdioHostStatus;
  readonly log: Log;
};

const MCP_PATH = /^\/orgs\/([0-9a-f-]{36})\/servers\/([0-9a-f-]{36})\/mcp$/;
const STATUS_PATH = new RegExp(`^${STDIO_HOST.statusPath}(?:\\?server=([0-9a-f-]{36}))?$`);

/** The listener's request path: Host, then probes and metrics, then the secret, then everything else; no body is read before. */
export function createStdioServer(options: ServerOptions): Server {
  const timeouts = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 75_000 };
  const isOwnHost = makeHostCheck(options.listener, isLoopbackName);
  const server = createListeningServer(options, timeouts, (request, response) => {
    if (!isOwnHost(request.headers.host, request.socket.localAddress)) return sendRefusal(response, refusal('http.host'));
    route(options, request, response).catch((error: unknown) => {
      if (!request.destroyed || request.complete) options.log.error({ err: error }, 'a request failed');
      sendRefusal(response, refusal('internal'));
    });
  });
  return server;
}

async function route(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  if (request.method === 'GET' && (await probed(options, request, response))) return;
  const bearer = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!options.knows(bearer ?? '')) return sendRefusal(response, refusal('auth.invalid_token'));
  const ofStatus = STATUS_PATH.exec(path);
  if (ofStatus !== null && request.method === 'GET') return sendJson(response, 200, JSON.stringify(options.status(ofStatus[1] ?? null)));
  if (path === STDIO_HOST.listChangesPath && request.method === 'GET') return tellOfLists(options, request, response);
  const [, organisationId, serverId] = MCP_PATH.exec(path) ?? [];
  if (organisationId === undefined || serverId === undefined) return sendRefusal(response, refusal('http.not_found'));
  return options.endpoint.handle({ request, response, key: { organisationId, serverId } });
}

function tellOfLists({ isStopping, listChanges }: ServerOptions, { headers }: IncomingMessage, response: ServerResponse): void {
  if (isStopping()) return sendRefusal(response, refusal('stdio.stopping'));
  const reader = new EventResponse(response);
  const lastEventId = headers['last-event-id'];
  response.on('close', () => listChanges.detach(reader));
  listChanges.attach(reader, typeof lastEventId === 'string' ? lastEventId : null);
}

/** What needs no secret, because it names nothing but servers. False: something else was asked for. */
async function probed(
  { isStopping, listener, metrics }: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const path = request.url;
  if (path === '/livez') {
    sendJson(response, 200, '{"status":"ok"}');
  } else if (path === '/readyz') {
    sendJson(response, isStopping() ? 503 : 200, `{"status":"${isStopping() ? 'draining' : 'ok'}"}`);
  } else if (path === '/metrics' && !mayReadMetrics(listener, request)) {
    sendRefusal(response, refusal('auth.invalid_token'));
  } else if (path === '/metrics') {
    const { contentType, text } = await metrics.render();
    response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).end(text);
  } else return false;
  return true;
}
