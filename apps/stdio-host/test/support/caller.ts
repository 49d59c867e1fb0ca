import { STDIO_HOST } from '@patchbay/contracts';
import { type SseEvent, SseParser } from '@patchbay/mcp-wire';
import { ORGANISATION, SECRET } from './harness.ts';

export type Message = {
  id?: number | string | null;
  method?: string;
  params?: Record<string, unknown>;
  result?: { content?: { text: string }[] } & Record<string, unknown>;
  error?: { code: number; message: string; data?: Record<string, unknown> };
};

export type Answer = { status: number; type: string; messages: Message[]; text: string; sessionId: string | null };

const CLIENT_INFO = { name: 'test', version: '1' };

/** A bare client of one server: every byte it sends is the test's. */
export class Caller {
  readonly #base: string;
  readonly serverId: string;
  readonly generation: string;
  sessionId: string | null = null;
  capabilities: Record<string, unknown> = {};
  protocolVersion = '2025-11-25';
  principal: string | null = null;
  organisation = ORGANISATION;

  constructor(base: string, serverId: string, generation = 'g1') {
    this.#base = base;
    this.serverId = serverId;
    this.generation = generation;
  }

  get url(): string {
    return `${this.#base}${STDIO_HOST.path(this.organisation, this.serverId)}`;
  }

  headers(): Record<string, string> {
    return {
      authorization: `Bearer ${SECRET}`,
      'content-type': 'application/json',
      // What stays open is not the test's.
      connection: 'close',
      accept: 'application/json, text/event-stream',
      [STDIO_HOST.generationHeader]: this.generation,
      ...(this.principal === null ? {} : { [STDIO_HOST.principalHeader]: this.principal }),
      ...(this.sessionId === null ? {} : { 'mcp-session-id': this.sessionId, 'mcp-protocol-version': this.protocolVersion }),
    };
  }

  async post(body: unknown, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: this.headers(),
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    const data = type.startsWith('text/event-stream') ? [...text.matchAll(/^data: (.*)$/gm)].map(([, line]) => line ?? '') : [text];
    const messages = data.filter((line) => line !== '').map((line) => JSON.parse(line) as Message);
    return { status: response.status, type, messages, text, sessionId: response.headers.get('mcp-session-id') };
  }

  async open(): Promise<Answer> {
    this.sessionId = null;
    const { capabilities, protocolVersion } = this;
    const params = { protocolVersion, capabilities, clientInfo: CLIENT_INFO };
    const answer = await this.post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    this.sessionId = answer.sessionId;
    if (this.sessionId !== null) await this.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return answer;
  }

  async call(
    name: string,
    args: Record<string, unknown> = {},
    more: { id?: number | string; token?: number | string } = {},
  ): Promise<Answer> {
    const meta = more.token === undefined ? {} : { _meta: { progressToken: more.token } };
    return this.post({ jsonrpc: '2.0', id: more.id ?? 1, method: 'tools/call', params: { name, arguments: args, ...meta } });
  }

  /** The event stream of a POST. */
  async stream(body: unknown): Promise<EventReader> {
    return this.#read({ method: 'POST', headers: this.headers(), body: JSON.stringify(body) });
  }

  /** The stream of GET: general, or from an event on. */
  async listen(lastEventId?: string): Promise<EventReader> {
    return this.#read({ headers: { ...this.headers(), ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) } });
  }

  async #read(init: RequestInit): Promise<EventReader> {
    const leaving = new AbortController();
    const response = await fetch(this.url, { ...init, signal: leaving.signal });
    return new EventReader(response, leaving);
  }

  /** The text of a tool's result. */
  async text(name: string, args: Record<string, unknown> = {}): Promise<string> {
    const { messages } = await this.call(name, args);
    const text = messages.at(-1)?.result?.content?.[0]?.text;
    if (text === undefined) throw new Error(`no text: ${JSON.stringify(messages)}`);
    return text;
  }

  async end(): Promise<number> {
    const { status } = await fetch(this.url, { method: 'DELETE', headers: this.headers() });
    return status;
  }
}

/** Reads a stream event by event, and may leave it at any time. */
export class EventReader {
  readonly response: Response;
  readonly #leaving: AbortController;
  readonly #parser = new SseParser();
  readonly #events: SseEvent[] = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response, leaving: AbortController) {
    if (response.body === null) throw new Error('an answer without a body');
    this.response = response;
    this.#leaving = leaving;
    this.#reader = response.body.getReader();
  }

  /** null: the stream has ended. */
  async next(): Promise<SseEvent | null> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#events.push(...this.#parser.push(Buffer.from(value)));
    }
  }

  /** The next event with data. */
  async message(): Promise<{ id: string; message: Message }> {
    for (;;) {
      const event = await this.next();
      if (event === null) throw new Error('the stream has ended');
      if (event.data !== '') return { id: event.id ?? '', message: JSON.parse(event.data) as Message };
    }
  }

  leave(): void {
    this.#leaving.abort();
  }
}
