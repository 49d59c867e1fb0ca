import type { SseEvent } from '@patchbay/mcp-wire';
import type { EventPosition } from '../streams/client-stream.ts';
import type { Bridge } from './bridge/bridge.ts';

/** Where the stream of a call stands: as its server numbers it, and as its client is told, where it is offered positions at all. */
export class StreamPosition {
  /** Where the stream can be taken up again; null: its events are not numbered. */
  lastEventId: string | null = null;
  /** Milliseconds that the upstream wants to be left alone for after it has let go of the stream. */
  retryMs: number | null = null;
  readonly #eventId: Bridge['eventId'];
  /** Of the event that is being read, until it was told. */
  #untold: EventPosition | null = null;

  constructor({ eventId }: Pick<Bridge, 'eventId'>) {
    this.#eventId = eventId;
  }

  /** Whether the client itself can ask for the rest, from any pod. */
  get isKnownToClient(): boolean {
    return this.#eventId !== null && this.lastEventId !== null;
  }

  note({ id, retry }: SseEvent): void {
    this.lastEventId = id ?? this.lastEventId;
    this.retryMs = retry ?? this.retryMs;
    const isTold = this.#eventId !== null && (id !== null || retry !== null);
    this.#untold = isTold ? { id: id === null || this.#eventId === null ? null : this.#eventId(id), retry } : null;
  }

  /** What the client is to be told with the next event, once. */
  take(): EventPosition | null {
    const untold = this.#untold;
    this.#untold = null;
    return untold;
  }
}
