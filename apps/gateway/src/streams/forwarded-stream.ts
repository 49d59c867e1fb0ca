import type { ServerResponse } from 'node:http';
import { scanMessage, type SseEvent } from '@patchbay/mcp-wire';
import type { ExchangeFailure } from '../upstream/exchange.ts';
import { ClientStream } from './client-stream.ts';
import { AS_IT_IS, type StreamView } from './stream-view.ts';
import { UpstreamStream, type UpstreamStreamListener, type UpstreamStreamRequest } from './upstream-stream.ts';
import { SCAN } from '../upstream/scan-limits.ts';

export type ForwardedStreamListener = {
  /** It is over, whoever ended it: `why` null when the client left, the server ended it, or we did. */
  over(why: ExchangeFailure | 'crashed' | null): void;
};

/** A server's own stream as its client gets it: every event with its position, messages byte for byte, less what clients hear from us. */
export class ForwardedStream implements UpstreamStreamListener {
  readonly stream: ClientStream;
  readonly #listener: ForwardedStreamListener;
  #upstream: UpstreamStream | null = null;
  #view: StreamView = AS_IT_IS;
  #settle: ((stood: true | number | ExchangeFailure) => void) | null = null;
  #over = false;

  constructor(response: ServerResponse, listener: ForwardedStreamListener) {
    this.#listener = listener;
    this.stream = new ClientStream(response, { drained: () => this.#upstream?.resume(), left: () => this.end() });
  }

  /** True: it stands, and the client has its head. Otherwise nothing was written: the status that the server gave, or the failure. */
  open(request: UpstreamStreamRequest, view: StreamView): Promise<true | number | ExchangeFailure> {
    if (this.#over || this.stream.isGone) return Promise.resolve('cut');
    this.#view = view;
    return new Promise((settle) => {
      this.#settle = settle;
      this.#upstream = new UpstreamStream(request, this);
      this.#upstream.open();
    });
  }

  /** Stands without a server's events: what we have to say ourselves comes on it. */
  openSilent(): void {
    this.stream.begin();
    this.stream.keepAlive();
  }

  /** From our side, or because the client left: the server may be asked for the rest by another pod at once. */
  end(): void {
    this.#upstream?.close();
    this.#finish(null);
  }

  opened(): void {
    this.openSilent();
    this.#settle?.(true);
  }

  refused(why: number | ExchangeFailure): void {
    this.#settle?.(why);
  }

  event({ data, event, id, retry }: SseEvent): void {
    const position = id === null && retry === null ? null : { id: id === null ? null : this.#view.eventId(id), retry };
    const carried = event === 'message' && data !== '' ? carry(Buffer.from(data), this.#view) : null;
    // What is not carried still moves the position on.
    const takesMore = carried !== null ? this.stream.sendEvent(carried, position) : position === null || this.stream.sendPosition(position);
    if (!takesMore) this.#upstream?.pause();
  }

  ended(why: ExchangeFailure | 'crashed' | null): void {
    this.#finish(why);
  }

  #finish(why: ExchangeFailure | 'crashed' | null): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.stream.isGone) this.stream.end();
    this.#settle?.('cut');
    this.#listener.over(why);
  }
}

/** What is ambiguous is nobody's to read. */
function carry(bytes: Buffer, view: StreamView): Buffer | null {
  const scanned = scanMessage(bytes, SCAN);
  return scanned.ok ? view.message(bytes, scanned.message) : null;
}
