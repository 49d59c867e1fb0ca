import type { IncomingMessage, ServerResponse } from 'node:http';
import { STDIO_HOST } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { scanMessage, type ScannedMessage } from '@patchbay/mcp-wire';
import type { Opening, StdioHost } from './host.ts';
import { sendJson, sendRefusal, sendRpcError } from './http/answers.ts';
import { EventResponse } from './http/event-response.ts';
import { HttpReply } from './http/http-reply.ts';
import { readBody } from './http/read-body.ts';
import type { RequestRecorder } from './ops/request-recorder.ts';
import type { Incoming } from './process/exchange.ts';
import { toOneLine } from './process/rpc-text.ts';
import type { ServerKey } from './process/server-process.ts';
import type { Session } from './session.ts';

const BODY_BYTES_MAX = 16 * 1024 * 1024;
const SESSION_HEADER = 'mcp-session-id';
const LAST_EVENT_HEADER = 'last-event-id';
/** Clients of earlier revisions would parse an event without data as JSON. */
const PRIMED_SINCE = '2025-11-25';
/** They change what a process does for every session on it. */
const NOT_ON_SHARED: ReadonlySet<string> = new Set(['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']);

/** One authenticated request to a server's endpoint. */
export type Exchanged = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly key: ServerKey };

export type EndpointOptions = {
  readonly host: StdioHost;
  readonly recorder: RequestRecorder;
  /** What is in flight ends, and nothing new is taken. */
  readonly isStopping: () => boolean;
};

/** Serves the streamable-HTTP transport of the legacy revisions on one server's path. */
export class McpEndpoint {
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  async handle(exchanged: Exchanged): Promise<void> {
    const { request, response } = exchanged;
    switch (request.method) {
      case 'POST':
        return this.#post(exchanged);
      case 'DELETE':
        return this.#delete(exchanged);
      case 'GET':
        return this.#get(exchanged);
      default:
        response.setHeader('allow', 'POST, GET, DELETE');
        return sendRefusal(response, refusal('http.method'));
    }
  }

  async #post({ request, response, key }: Exchanged): Promise<void> {
    const generation = header(request, STDIO_HOST.generationHeader);
    if (generation === null) return sendRefusal(response, refusal('rpc.invalid', 'The Patchbay-Generation header is missing.'));
    if (!/^application\/json\s*(;|$)/i.test(header(request, 'content-type') ?? ''))
      return sendRefusal(response, refusal('http.media_type'));
    const sessionId = header(request, SESSION_HEADER);
    const session = sessionId === null ? null : this.#take(key, sessionId, response);
    // Read also when it is refused: closing a connection with unread bytes on it takes the answer away with it.
    const incoming = await this.#read(request);
    if (sessionId !== null && session === null) return sendRefusal(response, refusal('session.gone'));
    if ('refused' in incoming) return sendRefusal(response, incoming.refused, incoming.idText);
    if (session !== null) return this.#inSession(session, incoming, { request, response });
    if (incoming.message.kind !== 'request' || incoming.message.method !== 'initialize') {
      return sendRefusal(response, refusal('rpc.invalid', 'Without an Mcp-Session-Id only initialize is answered.'), idTextOf(incoming));
    }
    const principal = header(request, STDIO_HOST.principalHeader) ?? '';
    const isDiscovery = header(request, STDIO_HOST.discoveryHeader) !== null;
    return this.#initialize(response, { key, generation, principal, isDiscovery }, incoming);
  }

  /** What belongs to no request; with `Last-Event-ID` what came after that event, of whichever stream it was. */
  #get({ request, response, key }: Exchanged): void {
    const sessionId = header(request, SESSION_HEADER);
    const session = sessionId === null ? null : this.#take(key, sessionId, response);
    if (session === null) return sendRefusal(response, refusal('session.gone'));
    const lastEventId = header(request, LAST_EVENT_HEADER);
    const from = lastEventId === null ? { stream: session.streams.general, sequence: null } : session.streams.at(lastEventId);
    if (from === null) return sendRefusal(response, refusal('stream.position'));
    const listener = new EventResponse(response);
    response.on('close', () => {
      from.stream.detach(listener);
      this.#options.host.touch(session);
    });
    from.stream.attach(listener, from.sequence);
  }

  /** A host that stops knows no session any more: its callers open another elsewhere, for nothing was executed. */
  #take(key: ServerKey, sessionId: string, response: ServerResponse): Session | null {
    if (!this.#options.isStopping()) return this.#options.host.find(key, sessionId);
    response.setHeader('connection', 'close');
    return null;
  }

  async #read(request: IncomingMessage): Promise<Incoming | { refused: Refusal; idText: string }> {
    const body = await readBody(request, BODY_BYTES_MAX);
    if (!Buffer.isBuffer(body)) return { refused: body, idText: 'null' };
    const scanned = scanMessage(body);
    if (!scanned.ok) return { refused: scanned.refusal, idText: JSON.stringify(scanned.id) };
    return { bytes: toOneLine(body), message: scanned.message };
  }

  async #initialize(response: ServerResponse, opening: Opening, incoming: Incoming): Promise<void> {
    if (this.#options.isStopping()) return sendRpcError(response, idTextOf(incoming), refusal('stdio.stopping'));
    const opened = await this.#options.host.open(opening, incoming);
    if ('code' in opened) return sendRpcError(response, idTextOf(incoming), opened);
    if (opened.sessionId === null) return sendJson(response, 200, opened.answer);
    if (!response.destroyed) return sendJson(response, 200, opened.answer, { [SESSION_HEADER]: opened.sessionId });
    // Nobody will ever learn the id, so nobody can end the session.
    const unheard = this.#options.host.find(opening.key, opened.sessionId);
    if (unheard !== null) this.#options.host.end(unheard);
  }

  #inSession(session: Session, incoming: Incoming, { request, response }: Pick<Exchanged, 'request' | 'response'>): void {
    const { exchange, key, spec } = session.process;
    const { message } = incoming;
    if (message.kind !== 'request') {
      if (message.kind === 'notification') exchange.notify(session.id, incoming);
      else exchange.respond(session.id, incoming);
      response.writeHead(202, { 'content-length': 0 }).end();
      return;
    }
    const refused = refusedInSession(message, spec.isolation === 'shared');
    if (refused !== null) return sendRpcError(response, idTextOf(incoming), refused);
    const recording = this.#options.recorder.begin({ key, slug: spec.slug, message, traceparent: request.headers['traceparent'] });
    const reply = new HttpReply({
      response,
      idText: idTextOf(incoming),
      streams: session.streams,
      canPrime: (header(request, 'mcp-protocol-version') ?? '') >= PRIMED_SINCE,
      ended: (outcome) => recording.end(outcome),
    });
    const flight = exchange.request(session.id, { ...incoming, traceparent: recording.traceparent }, reply);
    const left = () => {
      this.#options.host.touch(session);
      if (reply.left()) return;
      // Nobody can come back: the server finishes its work, and nobody waits for it any more.
      if (flight !== null) exchange.release(flight);
      recording.end('cancelled');
    };
    if (response.destroyed) left();
    else response.on('close', left);
  }

  #delete({ request, response, key }: Exchanged): void {
    const sessionId = header(request, SESSION_HEADER);
    const generation = header(request, STDIO_HOST.generationHeader);
    if (sessionId === null && generation !== null) {
      this.#options.host.endShared(key, generation);
      response.writeHead(204).end();
      return;
    }
    const session = sessionId === null ? null : this.#options.host.find(key, sessionId);
    if (session === null) return sendRefusal(response, refusal('session.gone'));
    this.#options.host.end(session);
    response.writeHead(204).end();
  }
}

function refusedInSession({ method }: ScannedMessage, shared: boolean): Refusal | null {
  if (method === 'initialize') return refusal('rpc.invalid', 'This session is initialized already.');
  if (shared && NOT_ON_SHARED.has(method)) return refusal('rpc.method_unknown', 'Sessions of this server share one process.');
  return null;
}

function idTextOf({ bytes, message }: Incoming): string {
  return message.idSpan === null ? 'null' : bytes.toString('utf8', message.idSpan.start, message.idSpan.end);
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}
