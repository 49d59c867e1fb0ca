import type { IncomingHttpHeaders } from 'node:http';
import { EgressRefused } from '@patchbay/egress';
import type { Dispatcher } from 'undici';

/** One HTTP request to an upstream; everything in it is composed by us. */
export type ExchangeRequest = {
  readonly pool: Dispatcher;
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | null;
  /** Until the end of the answer; progress starts it anew, up to ten times. */
  readonly timeoutMs: number;
};

/**
 * Why no whole answer came. `dial`: nothing was sent, so it may be tried again. `connect-timeout`: nor here, but the waiting is
 * used up. `egress`: refused before dialling. `cut`: the connection ended too early. `malformed`: what came is not HTTP.
 */
export type ExchangeFailure = 'dial' | 'connect-timeout' | 'egress' | 'timeout' | 'cut' | 'malformed';

/** Told once of a head, of each chunk, and then of exactly one of end, failure and crash; of nothing after `abort`. */
export interface Receiver {
  head(status: number, headers: IncomingHttpHeaders): void;
  data(chunk: Buffer): void;
  end(): void;
  failed(failure: ExchangeFailure): void;
  /** In place of end or failure, when the receiver itself threw. Must not throw. */
  crashed(error: unknown): void;
}

/** What brings a receiver its answer, to be steered by it. */
export type Connection = Pick<Exchange, 'abort' | 'linger' | 'pause' | 'resume' | 'extend'>;

const PROGRESS_FACTOR_MAX = 10;
/** How long the rest of an answer is read that no longer matters, so that its connection can be used again. */
const LINGER_MS = 1_000;

/** One attempt on a pooled connection, under one deadline. Never retries. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #receiver: Receiver;
  #controller: Dispatcher.DispatchController | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #hardDeadline: NodeJS.Timeout | null = null;
  /** How often the deadline was moved. */
  #moves = 0;
  #over = false;

  constructor(request: ExchangeRequest, receiver: Receiver) {
    this.#request = request;
    this.#receiver = receiver;
  }

  start(): void {
    const { pool, method, path, headers, body, timeoutMs } = this.#request;
    this.#deadline = setTimeout(() => this.#onDeadline(), timeoutMs);
    try {
      // One deadline of our own rules the whole exchange; undici's two would only add a second opinion.
      pool.dispatch({ method, path, headers: { ...headers }, body, headersTimeout: 0, bodyTimeout: 0 }, this);
    } catch {
      this.#fail('malformed');
    }
  }

  /** Ends it without a word to the receiver; what was not sent yet is never sent. */
  abort(): void {
    if (this.#finish()) this.#controller?.abort(new Error('aborted'));
  }

  /** The receiver has what it needs: reads on for a moment, then lets go. */
  linger(): void {
    if (this.#over) return;
    this.#moves += 1;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.abort(), LINGER_MS);
    this.resume();
  }

  pause(): void {
    if (!this.#over) this.#controller?.pause();
  }

  resume(): void {
    if (!this.#over && this.#controller?.paused === true) this.#controller.resume();
  }

  /** A stream that lasts as long as both sides want it: from here on there is no deadline. */
  endure(): void {
    this.#moves += 1;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (this.#hardDeadline !== null) clearTimeout(this.#hardDeadline);
    this.#deadline = null;
    this.#hardDeadline = null;
  }

  /** The upstream reported progress: the deadline starts anew, but never beyond ten times the timeout. */
  extend(): void {
    if (this.#over) return;
    this.#hardDeadline ??= setTimeout(() => this.#fail('timeout'), this.#request.timeoutMs * PROGRESS_FACTOR_MAX);
    this.#moves += 1;
    this.#deadline?.refresh();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('aborted'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status >= 200 && !this.#over) this.#tell(() => this.#receiver.head(status, headers));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#tell(() => this.#receiver.data(chunk));
  }

  onResponseEnd(): void {
    if (this.#finish()) this.#tell(() => this.#receiver.end());
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#finish()) this.#tell(() => this.#receiver.failed(failureOf(error, this.#controller !== null)));
  }

  /** A process that stood still runs its timers before it reads what has come: that is looked at first. */
  #onDeadline(): void {
    const moves = this.#moves;
    setImmediate(() => {
      if (this.#moves === moves) this.#fail('timeout');
    });
  }

  #fail(failure: ExchangeFailure): void {
    if (!this.#finish()) return;
    this.#controller?.abort(new Error(failure));
    this.#tell(() => this.#receiver.failed(failure));
  }

  /** What a receiver throws would be lost in undici or the event loop, and its call would wait for ever. */
  #tell(say: () => void): void {
    try {
      say();
    } catch (error) {
      this.abort();
      this.#receiver.crashed(error);
    }
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (this.#hardDeadline !== null) clearTimeout(this.#hardDeadline);
    return true;
  }
}

function failureOf(error: Error, wasSent: boolean): ExchangeFailure {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) if (cause instanceof EgressRefused) return 'egress';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!wasSent) return code === 'UND_ERR_CONNECT_TIMEOUT' ? 'connect-timeout' : 'dial';
  return error.name === 'HTTPParserError' || code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'malformed' : 'cut';
}
