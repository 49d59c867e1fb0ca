import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import { Readable, Writable } from 'node:stream';
import type { ChannelAnswer, ChannelRequest } from '@patchbay/mcp-wire/channel';
import { CallContext } from '../pipeline/context.ts';
import type { Caller } from './caller.ts';

/** What came of it, and whom the pipeline found. */
export type InnerCall = { readonly answer: ChannelAnswer; readonly ctx: CallContext };

/** Takes a message of a caller through the pipeline as if it had come by HTTP: the one way there is. Rejects when there is no answer. */
export type CallInside = (caller: Caller, request: ChannelRequest) => Promise<InnerCall>;

export function makeCallInside(run: (ctx: CallContext) => Promise<void>): CallInside {
  return function callInside(caller, { body, headers, method, signal }) {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const request = new InnerRequest(caller, { method, headers, body });
      const response = new InnerResponse((answer) => resolve({ answer, ctx }));
      const abandon = (): void => void response.destroy();
      signal.addEventListener('abort', abandon, { once: true });
      response.once('close', () => {
        signal.removeEventListener('abort', abandon);
        request.destroy();
        reject(new Error('the call ended without an answer'));
      });
      // The pipeline knows these two by what they do; they are everything of it that has no socket.
      const ctx = new CallContext(request as unknown as IncomingMessage, response as unknown as ServerResponse, performance.now());
      void run(ctx);
    });
  };
}

/** A request without a socket of its own. */
class InnerRequest extends Readable {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: { readonly remoteAddress: string };
  readonly httpVersion = '1.1';
  readonly complete = true;

  constructor(caller: Caller, { body, headers, method }: Pick<ChannelRequest, 'body' | 'headers' | 'method'>) {
    super();
    this.method = method;
    this.url = caller.path;
    this.rawHeaders = [...caller.rawHeaders, ...Object.entries(headers).flat(), 'content-length', String(body?.length ?? 0)];
    this.headers = headersFrom(this.rawHeaders);
    this.socket = { remoteAddress: caller.remoteAddress };
    if (body !== null) this.push(body);
    this.push(null);
  }

  override _read(): void {
    // Everything was pushed at birth.
  }
}

type ResponseSurface = Pick<
  ServerResponse,
  'statusCode' | 'headersSent' | 'getHeader' | 'hasHeader' | 'removeHeader' | 'flushHeaders' | 'writeContinue'
>;

/** A response whose reader sits in this process. Its `close` comes when it was read to its end or given up, as a socket's does. */
class InnerResponse extends Writable implements ResponseSurface {
  statusCode = 200;
  headersSent = false;
  readonly #headers: Record<string, string | readonly string[]> = {};
  readonly #onHead: (answer: ChannelAnswer) => void;
  readonly #body: Readable;
  #onRead: (() => void) | null = null;

  constructor(onHead: (answer: ChannelAnswer) => void) {
    super();
    this.#onHead = onHead;
    this.#body = new Readable({ read: () => this.#wanted() });
    this.#body.on('error', () => undefined);
    // A reader who has enough is a client who has left.
    this.#body.once('close', () => this.destroy());
  }

  setHeader(name: string, value: OutgoingHttpHeader): this {
    this.#headers[name.toLowerCase()] = typeof value === 'number' ? String(value) : value;
    return this;
  }

  getHeader(name: string): OutgoingHttpHeader | undefined {
    const value = this.#headers[name.toLowerCase()];
    return typeof value === 'object' ? [...value] : value;
  }

  hasHeader(name: string): boolean {
    return Object.hasOwn(this.#headers, name.toLowerCase());
  }

  removeHeader(name: string): void {
    delete this.#headers[name.toLowerCase()];
  }

  writeHead(status: number, headers: Readonly<Record<string, OutgoingHttpHeader>> = {}): this {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    this.flushHeaders();
    return this;
  }

  flushHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.#onHead({ status: this.statusCode, headers: this.#headers, body: this.#body });
  }

  writeContinue(): void {
    // The body is here already.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.flushHeaders();
    if (this.#body.push(chunk)) done();
    else this.#onRead = done;
  }

  override _final(done: () => void): void {
    this.flushHeaders();
    this.#body.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#body.readableEnded && !this.writableFinished) this.#body.destroy(error ?? new Error('the answer broke off'));
    done(null);
  }

  #wanted(): void {
    const done = this.#onRead;
    this.#onRead = null;
    done?.();
  }
}

/** As node:http folds them: the first of each name. */
function headersFrom(rawHeaders: readonly string[]): IncomingHttpHeaders {
  const headers: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers[(rawHeaders[index] ?? '').toLowerCase()] ??= rawHeaders[index + 1] ?? '';
  return headers;
}
