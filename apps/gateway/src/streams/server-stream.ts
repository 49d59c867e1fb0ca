import type { SseEvent } from '@patchbay/mcp-wire';
import type { ExchangeFailure } from '../upstream/exchange.ts';
import type { UpstreamSession } from '../upstream/session-registry.ts';
import { UpstreamStream, type UpstreamStreamRequest } from './upstream-stream.ts';

/** Where the stream is asked for: on which session, and how. */
export type StreamPlace = { readonly session: UpstreamSession; request(lastEventId: string | null): UpstreamStreamRequest };

export type ServerStreamInput = {
  /** Where it can be asked for now, on another session than this one; null: nowhere. Must not reject. */
  readonly locate: (useless: UpstreamSession | null) => Promise<StreamPlace | 'later' | null>;
  readonly event: (event: SseEvent) => void;
  /** What its client has of it; null: nothing. */
  readonly lastEventId: string | null;
  /** The session on which there is nothing to be asked for. */
  readonly useless: UpstreamSession | null;
};

const AGAIN_MS = 500;
const AGAIN_MS_MAX = 60_000;
/** One that has stood so long was cut for being silent. */
const STEADY_MS = 15_000;
const [POSITION_UNKNOWN, GONE, NONE] = [400, 404, 405];

/** The general stream of a session with a server, asked for again as often as it ends, from where it ended. */
export class ServerStream {
  readonly #input: ServerStreamInput;
  #stream: UpstreamStream | null = null;
  #settle: ((stood: 'cut') => void) | null = null;
  #stands = false;
  #stoodAtMs = 0;
  #opening: Promise<void> | null = null;
  #lastEventId: string | null;
  #useless: UpstreamSession | null;
  /** On which it stands, or stood last. */
  #session: UpstreamSession | null = null;
  #again: NodeJS.Timeout | null = null;
  /** As the server wants it, within bounds: one that wants it at once would have this pod ask without end. */
  #retryMs = AGAIN_MS;
  /** Longer each time that nothing has come since. */
  #againMs = AGAIN_MS;
  #isOver = false;

  constructor(input: ServerStreamInput) {
    this.#input = input;
    this.#lastEventId = input.lastEventId;
    this.#useless = input.useless;
  }

  get session(): UpstreamSession | null {
    return this.#session;
  }

  /** Resolves when it stands, or cannot stand for now. Never rejects; at once when it stands already. */
  open(): Promise<void> {
    if (this.#stands || this.#isOver) return Promise.resolve();
    this.#opening ??= this.#connect().finally(() => (this.#opening = null));
    return this.#opening;
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  close(): void {
    this.#isOver = true;
    if (this.#again !== null) clearTimeout(this.#again);
    this.#stream?.close();
    this.#settle?.('cut');
  }

  async #connect(): Promise<void> {
    if (this.#again !== null) clearTimeout(this.#again);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one session after the other
      const place = await this.#input.locate(this.#useless);
      if (place === null || this.#isOver) return;
      // oxlint-disable-next-line no-await-in-loop -- as the one before
      const stood = place === 'later' ? place : await this.#attempt(place);
      if (stood === true || this.#isOver) return;
      if (place === 'later' || (stood !== GONE && stood !== NONE)) return this.#openLater();
      this.#useless = place.session;
      if (stood === NONE) return;
    }
  }

  async #attempt(place: StreamPlace): Promise<true | number | ExchangeFailure> {
    this.#session = place.session;
    const stood = await this.#dial(place.request(this.#lastEventId));
    if (stood !== POSITION_UNKNOWN || this.#lastEventId === null || this.#isOver) return stood;
    this.#lastEventId = null;
    return this.#dial(place.request(null));
  }

  #dial(request: UpstreamStreamRequest): Promise<true | number | ExchangeFailure> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#stream = new UpstreamStream(request, {
        opened: () => {
          this.#stoodAtMs = performance.now();
          this.#stands = true;
          resolve(true);
        },
        refused: resolve,
        event: (event) => this.#take(event),
        ended: () => this.#ended(),
      });
      this.#stream.open();
    });
  }

  #take(event: SseEvent): void {
    if (event.id !== null) this.#lastEventId = event.id === '' ? null : event.id;
    this.#retryMs = Math.min(Math.max(event.retry ?? this.#retryMs, AGAIN_MS), AGAIN_MS_MAX);
    this.#againMs = this.#retryMs;
    this.#input.event(event);
  }

  #ended(): void {
    this.#stands = false;
    if (performance.now() - this.#stoodAtMs > STEADY_MS) this.#againMs = this.#retryMs;
    if (!this.#isOver) this.#openLater();
  }

  /** Load balancers cut what is silent, and servers let go of streams to have them asked for again. */
  #openLater(): void {
    this.#again = setTimeout(() => void this.open(), this.#againMs);
    this.#again.unref();
    this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS_MAX);
  }
}
