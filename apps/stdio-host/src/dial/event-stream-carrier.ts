import { boundedBody, createUpstreamPool, type DialerOptions, readAll } from '@patchbay/egress';
import { SseParser } from '@patchbay/mcp-wire';
import type { Carrier, CarrierEvents } from '../process/carrier.ts';
import { type Dialled, HELD_BYTES_MAX, MESSAGE_BYTES_MAX } from './dialled.ts';

type Pool = ReturnType<typeof createUpstreamPool>;

const KEEP_ALIVE_MS = 30_000;
/** One for the stream, one for what is posted meanwhile. */
const CONNECTIONS_MAX = 2;
const POST_TIMEOUT_MS = 30_000;
const ERROR_BYTES_MAX = 4 * 1024;
const NOT_DELIVERED = -31502;

/** A server of HTTP+SSE (2024-11-05): its stream is read, and what is for it posted to the address that it names first, one after the other. */
export class EventStreamCarrier implements Carrier {
  readonly pid = 0;
  readonly #dialled: Dialled;
  readonly #events: CarrierEvents;
  readonly #pool: Pool;
  readonly #abort = new AbortController();
  readonly #endpoint = Promise.withResolvers<URL>();
  readonly #gone: Promise<void>;
  #posting: Promise<void> = Promise.resolve();
  #heldBytes = 0;
  #isGone = false;

  constructor(dialled: Dialled, dialer: DialerOptions, events: CarrierEvents) {
    this.#dialled = dialled;
    this.#events = events;
    this.#pool = createUpstreamPool(dialled.url, { ...dialer, keepAliveMs: KEEP_ALIVE_MS, connections: CONNECTIONS_MAX });
    this.#endpoint.promise.catch(() => undefined);
    this.#gone = this.#read().then((how) => this.#end(how));
  }

  send(message: Buffer | string): boolean {
    const body = Buffer.from(message);
    if (this.#isGone || this.#heldBytes + body.length > HELD_BYTES_MAX) return false;
    this.#heldBytes += body.length;
    this.#posting = this.#posting.then(() => this.#post(body)).finally(() => (this.#heldBytes -= body.length));
    return true;
  }

  stop(): Promise<void> {
    this.#abort.abort();
    return this.#gone;
  }

  /** Resolves with how the stream ended. */
  async #read(): Promise<string> {
    const url = new URL(this.#dialled.url);
    try {
      const { body, headers, statusCode } = await this.#pool.request({
        method: 'GET',
        path: url.pathname + url.search,
        headers: { ...this.#dialled.headers, accept: 'text/event-stream', 'cache-control': 'no-store' },
        signal: this.#abort.signal,
      });
      body.on('error', () => undefined);
      const mediaType = String(headers['content-type'] ?? '').split(';', 1)[0];
      if (statusCode !== 200 || mediaType?.trim().toLowerCase() !== 'text/event-stream')
        return `it answered HTTP ${statusCode} in place of a stream`;
      const parser = new SseParser(MESSAGE_BYTES_MAX);
      for await (const chunk of body as AsyncIterable<Buffer>) for (const event of parser.push(chunk)) this.#take(event, url);
      return 'it ended its stream';
    } catch (error) {
      if (this.#abort.signal.aborted) return 'it was stopped';
      return error instanceof WrongEndpoint ? error.message : 'it could not be connected to, or the connection failed';
    }
  }

  #take({ data, event }: { event: string; data: string }, url: URL): void {
    if (event === 'message' && data !== '') this.#events.onMessage(Buffer.from(data));
    if (event !== 'endpoint') return;
    const endpoint = URL.canParse(data, url.href) ? new URL(data, url) : null;
    // Its credential goes to the origin that it was registered for, wherever the server points.
    if (endpoint?.origin !== url.origin) throw new WrongEndpoint('it named an address of another origin for messages');
    this.#endpoint.resolve(endpoint);
  }

  async #post(body: Buffer): Promise<void> {
    try {
      const endpoint = await this.#endpoint.promise;
      const answer = await this.#pool.request({
        method: 'POST',
        path: endpoint.pathname + endpoint.search,
        headers: { ...this.#dialled.headers, 'content-type': 'application/json' },
        body,
        signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(POST_TIMEOUT_MS)]),
      });
      answer.body.on('error', () => undefined);
      const said = await readAll(boundedBody(answer.body, ERROR_BYTES_MAX)).catch(() => Buffer.alloc(0));
      if (answer.statusCode >= 300) this.#refuse(body, `it answered HTTP ${answer.statusCode}`, said);
    } catch {
      if (!this.#isGone) this.#refuse(body, 'it could not be sent to', Buffer.alloc(0));
    }
  }

  /** A request that did not get there will have no answer: it gets one here. */
  #refuse(body: Buffer, why: string, said: Buffer): void {
    this.#events.tail.push(Buffer.concat([Buffer.from(`${why}: `), said]));
    const { id, method } = JSON.parse(body.toString('utf8')) as { id?: unknown; method?: unknown };
    if (id === undefined || method === undefined) return;
    const error = { code: NOT_DELIVERED, message: `The message did not reach the server: ${why}.` };
    this.#events.onMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error })));
  }

  async #end(how: string): Promise<void> {
    this.#isGone = true;
    this.#endpoint.reject(new Error(how));
    this.#abort.abort();
    this.#events.onGone(how, false);
    await this.#pool.destroy();
  }
}

/** The server wants messages sent where they must not go. */
class WrongEndpoint extends Error {}
