import type { ServerResponse } from 'node:http';
import type { SseEvent } from '@patchbay/mcp-wire';
import type { ExchangeFailure } from '../upstream/exchange.ts';
import { type Carrying, carryEvent } from './carry-event.ts';
import { ClientStream } from './client-stream.ts';
import { UpstreamStream, type UpstreamStreamListener, type UpstreamStreamRequest } from './upstream-stream.ts';

export type ForwardedStreamListener = {
  /** It is over, whoever ended it: `why` null when the client left, the server ended it, or we did. */
  over(why: ExchangeFailure | 'crashed' | null): void;
};

/** Where events come from. */
export type Source = Pick<UpstreamStream, 'pause' | 'resume' | 'close'>;

/** A server's own stream as its client gets it: every event with its position, messages byte for byte, less what clients hear from us. */
export class ForwardedStream implements UpstreamStreamListener {
  readonly stream: ClientStream;
  readonly #listener: ForwardedStreamListener;
  #upstream: Source | null = null;
  #carrying: Carrying | null = null;
  #settle: ((stood: true | number | ExchangeFailure) => void) | null = null;
  #over = false;

  constructor(response: ServerResponse, listener: ForwardedStreamListener) {
    this.#listener = listener;
    this.stream = new ClientStream(response, { drained: () => this.#upstream?.resume(), left: () => this.end() });
  }

  /** True: it stands, and the client has its head. Otherwise nothing was written: the status that the server gave, or the failure. */
  open(request: UpstreamStreamRequest, how: Omit<Carrying, 'stream'>): Promise<true | number | ExchangeFailure> {
    if (this.#over || this.stream.isGone) return Promise.resolve('cut');
    this.#carrying = { ...how, stream: this.stream };
    return new Promise((settle) => {
      this.#settle = settle;
      const upstream = new UpstreamStream(request, this);
      this.#upstream = upstream;
      upstream.open();
    });
  }

  /** The events are another's to write; it waits while the client does not read, and ends with the stream. */
  carry(source: Source): void {
    if (this.#over) source.close();
    else this.#upstream = source;
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

  event(event: SseEvent): void {
    const { id, retry } = event;
    const carrying = this.#carrying;
    if (carrying === null) return;
    const position = id === null && retry === null ? null : { id: id === null ? null : carrying.view.eventId(id), retry };
    if (!carryEvent(event, position, carrying)) this.#upstream?.pause();
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
