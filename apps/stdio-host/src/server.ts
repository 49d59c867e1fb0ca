import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { STDIO_HOST, type StdioHostStatus } from '@patchbay/contracts';
import { refusal } from '@patchbay/errors';
import type { Metrics } from '@patchbay/telemetry';
import type { Log } from './log.ts';
import { sendJson, sendRefusal } from './http/answers.ts';
import type { McpEndpoint } from './mcp-endpoint.ts';

export type ServerOptions = {
  /** Whether this is what callers must present; compares in constant time. */
  readonly knows: (secret: string) => boolean;
  readonly endpoint: McpEndpoint;
  readonly metrics: Pick<Metrics, 'render'>;
  /** Told to stop: nothing new is taken. */
  readonly isStopping: () => boolean;
  readonly status: (serverId: string | null) => StdioHostStatus;
  readonly log: Log;
};

const MCP_PATH = /^\/orgs\/([0-9a-f-]{36})\/servers\/([0-9a-f-]{36})\/mcp$/;
const STATUS_PATH = new RegExp(`^${STDIO_HOST.statusPath}(?:\\?server=([0-9a-f-]{36}))?$`);
const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/** The listener's request path: Host, then probes and metrics, then the secret, then everything else; no body is read before. */
export function createStdioServer(options: ServerOptions): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 75_000 }, (request, response) => {
    route(options, request, response).catch((error: unknown) => {
      if (!request.destroyed || request.complete) options.log.error({ err: error }, 'a request failed');
      sendRefusal(response, refusal('internal'));
    });
  });
  return server;
}

async function route(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!LOOPBACK_HOST.test(request.headers.host ?? '')) return sendRefusal(response, refusal('http.host'));
  const path = request.url ?? '';
  if (request.method === 'GET' && (await probed(options, path, response))) return;
  const bearer = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!options.knows(bearer ?? '')) return sendRefusal(response, refusal('auth.invalid_token'));
  const ofStatus = STATUS_PATH.exec(path);
  if (ofStatus !== null && request.method === 'GET') return sendJson(response, 200, JSON.stringify(options.status(ofStatus[1] ?? null)));
  const [, organisationId, serverId] = MCP_PATH.exec(path) ?? [];
  if (organisationId === undefined || serverId === undefined) return sendRefusal(response, refusal('http.not_found'));
  return options.endpoint.handle({ request, response, key: { organisationId, serverId } });
}

/** What needs no secret, because it names nothing but servers. False: something else was asked for. */
async function probed({ isStopping, metrics }: ServerOptions, path: string, response: ServerResponse): Promise<boolean> {
  if (path === '/livez') {
    sendJson(response, 200, '{"status":"ok"}');
  } else if (path === '/readyz') {
    sendJson(response, isStopping() ? 503 : 200, `{"status":"${isStopping() ? 'draining' : 'ok'}"}`);
  } else if (path === '/metrics') {
    const { contentType, text } = await metrics.render();
    response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).end(text);
  } else return false;
  return true;
}
