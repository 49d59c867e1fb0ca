import { parseEventId } from './event-id.ts';
import { NumberedStream } from './numbered-stream.ts';

/** An answer that nobody came for is kept so long, and one that was given, in case its bytes were lost on the way. */
const KEPT_MS = 300_000;
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const GENERAL = 0;

/**
 * The event store of one session: the streams of its requests, and the general one for what belongs to no request. Lives in memory,
 * because the process that it speaks for does too.
 */
export class SessionStreams {
  readonly general: NumberedStream;
  readonly #clock: { nowMs(): number };
  readonly #streams = new Map<number, NumberedStream>();
  #lastNumber = GENERAL;

  constructor(clock: { nowMs(): number }) {
    this.#clock = clock;
    this.general = new NumberedStream(GENERAL, clock);
    this.#streams.set(GENERAL, this.general);
  }

  /** For one request. Not to be called for an answer that comes at once: that needs no stream. */
  open(): NumberedStream {
    const stream = new NumberedStream((this.#lastNumber += 1), this.#clock);
    this.#streams.set(stream.number, stream);
    return stream;
  }

  /** The stream of an event, and the event's own place in it; null when there is none such, or what came after is kept no longer. */
  at(lastEventId: string): { readonly stream: NumberedStream; readonly sequence: number } | null {
    const position = parseEventId(lastEventId);
    const stream = position === null ? undefined : this.#streams.get(position.stream);
    if (position === null || stream?.goesOnAfter(position.sequence) !== true) return null;
    return { stream, sequence: position.sequence };
  }

  /** Ends every reader's stream; what is kept can no longer be asked for. */
  close(): void {
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
  }

  /** Forgets what is over: after its time, and the oldest first when too much is kept. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    let bytes = 0;
    for (const { keptBytes } of this.#streams.values()) bytes += keptBytes;
    for (const [number, { isOver, keptBytes, unreadSinceMs }] of this.#streams) {
      if (!isOver || (bytes <= KEPT_BYTES_MAX && nowMs - (unreadSinceMs ?? nowMs) < KEPT_MS)) continue;
      this.#streams.delete(number);
      bytes -= keptBytes;
    }
  }
}
