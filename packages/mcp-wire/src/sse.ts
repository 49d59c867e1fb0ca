import { Fault } from '@patchbay/errors';

/** One dispatched event. `data` is empty for events that only carry an id or a retry (never JSON.parse that). */
export type SseEvent = {
  /** "message" unless the stream said otherwise. */
  readonly event: string;
  /** Lines joined with LF. */
  readonly data: string;
  /** The id of this event itself; null when it named none. */
  readonly id: string | null;
  /** Milliseconds. */
  readonly retry: number | null;
};

export type OutgoingSseEvent = { readonly event?: string; readonly data: string | Buffer; readonly id?: string; readonly retry?: number };

const LF = 0x0a;
const CR = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const EVENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads a server-sent event stream as its chunks arrive, whatever their borders. Unlike a browser it also reports events without
 * data, because an id alone is a position to resume from.
 */
export class SseParser {
  readonly #eventBytesMax: number;
  #pending: Buffer[] = [];
  #eventBytes = 0;
  #skipLf = false;
  #atStart = true;
  #event = '';
  #data: string[] = [];
  #id: string | null = null;
  #retry: number | null = null;
  #fields = 0;

  constructor(eventBytesMax: number = EVENT_BYTES_MAX) {
    this.#eventBytesMax = eventBytesMax;
  }

  /** The events that this chunk completes. Throws Fault `upstream.broken` when one event grows over the limit; then drop the stream. */
  push(chunk: Buffer): SseEvent[] {
    const events: SseEvent[] = [];
    let from = 0;
    for (let i = 0; i < chunk.length; i += 1) {
      const c = chunk[i];
      if (c === LF && this.#skipLf && i === from) {
        from = i + 1;
        this.#skipLf = false;
        continue;
      }
      this.#skipLf = false;
      if (c !== LF && c !== CR) continue;
      this.#line(this.#take(chunk.subarray(from, i)), events);
      this.#skipLf = c === CR;
      from = i + 1;
    }
    if (from < chunk.length) {
      this.#grow(chunk.length - from);
      this.#pending.push(Buffer.from(chunk.subarray(from)));
    }
    return events;
  }

  #take(tail: Buffer): string {
    this.#grow(tail.length + 1);
    let line = this.#pending.length === 0 ? tail : Buffer.concat([...this.#pending, tail]);
    this.#pending = [];
    if (this.#atStart) {
      this.#atStart = false;
      if (line.subarray(0, BOM.length).equals(BOM)) line = line.subarray(BOM.length);
    }
    return line.toString('utf8');
  }

  #grow(bytes: number): void {
    this.#eventBytes += bytes;
    if (this.#eventBytes > this.#eventBytesMax)
      throw new Fault('upstream.broken', `an SSE event is larger than ${this.#eventBytesMax} bytes`);
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) {
      // A comment keeps a stream alive for hours: it must not count towards an event that has not begun.
      if (this.#fields === 0) this.#eventBytes = 0;
      return;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    this.#fields += 1;
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^[0-9]{1,9}$/.test(value)) this.#retry = Number(value);
  }

  #dispatch(events: SseEvent[]): void {
    const hasContent = this.#data.length > 0 || this.#id !== null || this.#retry !== null;
    if (hasContent) {
      events.push({ event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n'), id: this.#id, retry: this.#retry });
    }
    this.#event = '';
    this.#data = [];
    this.#id = null;
    this.#retry = null;
    this.#fields = 0;
    this.#eventBytes = 0;
  }
}

/** One event as bytes, its data split at line ends. `event` and `id` must hold no line ends. */
export function encodeSseEvent({ event, data, id, retry }: OutgoingSseEvent): Buffer {
  let head = '';
  if (event !== undefined) head += `event: ${event}\n`;
  if (id !== undefined) head += `id: ${id}\n`;
  if (retry !== undefined) head += `retry: ${retry}\n`;
  if (typeof data !== 'string' && !data.includes(LF) && !data.includes(CR)) {
    return Buffer.concat([Buffer.from(`${head}data: `), data, Buffer.from('\n\n')]);
  }
  const lines = data.toString('utf8').split(/\r\n|\r|\n/);
  return Buffer.from(`${head}${lines.map((line) => `data: ${line}\n`).join('')}\n`);
}
