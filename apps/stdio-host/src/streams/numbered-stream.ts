import { encodeSseEvent } from '@patchbay/mcp-wire';
import { eventId } from './event-id.ts';

/** Somebody who reads a stream now. */
export interface Listener {
  /** One event as bytes. Nothing happens when the reader has left. */
  write(event: Buffer): void;
  /** No event follows. */
  end(): void;
}

/** `lasting`: a request or an answer, without which the conversation breaks: lost only in a flood of them. `passing`: a notification, of which old ones may be lost. */
export type EventKind = 'lasting' | 'passing';

type Kept = { readonly sequence: number; readonly event: Buffer; readonly kind: EventKind };

const PASSING_MAX = 256;
const PASSING_BYTES_MAX = 1024 * 1024;
/** Of both kinds, the last message apart: no server fills our memory. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Messages to a client in their order, each with a number, kept so that whoever comes back hears what it has missed. A message is
 * said to one reader, the last that came; again only to somebody who asks by the number before it.
 */
export class NumberedStream {
  readonly number: number;
  /** No message follows. */
  isOver = false;
  /** Since when nobody reads it; null while somebody does. */
  unreadSinceMs: number | null;
  keptBytes = 0;
  readonly #clock: { nowMs(): number };
  #kept: Kept[] = [];
  #passing = 0;
  #passingBytes = 0;
  #last = 0;
  #said = 0;
  /** The last request or answer that is kept no longer. */
  #lost = 0;
  #listeners: Listener[] = [];

  constructor(number: number, clock: { nowMs(): number }) {
    this.number = number;
    this.#clock = clock;
    this.unreadSinceMs = clock.nowMs();
  }

  /** An event without data: from here on its reader can come back. */
  prime(): void {
    this.#listeners.at(-1)?.write(encodeSseEvent({ id: this.#idOf(this.#last), data: '' }));
  }

  /** `message` is one line of JSON. */
  append(message: Buffer, kind: EventKind): void {
    this.#last += 1;
    const kept = { sequence: this.#last, event: encodeSseEvent({ event: 'message', id: this.#idOf(this.#last), data: message }), kind };
    this.#kept.push(kept);
    this.#count(kept, 1);
    const listener = this.#listeners.at(-1);
    if (listener !== undefined) this.#say(listener, kept);
    while (this.#passing > PASSING_MAX || (this.#passing > 0 && this.#passingBytes > PASSING_BYTES_MAX))
      this.#drop(this.#kept.findIndex((old) => old.kind === 'passing'));
    while (this.keptBytes > KEPT_BYTES_MAX && this.#kept.length > 1) this.#drop(0);
  }

  end(): void {
    this.isOver = true;
    this.hangUp();
  }

  /** Sends its readers away, who may come back. */
  hangUp(): void {
    this.unreadSinceMs ??= this.#clock.nowMs();
    for (const listener of this.#listeners.splice(0)) listener.end();
  }

  /** Says what came after `sequence`, or what nobody was told yet where that is null, and from now on what comes. */
  attach(listener: Listener, sequence: number | null): void {
    this.#listeners.push(listener);
    this.unreadSinceMs = null;
    if (sequence !== null) this.#said = Math.min(sequence, this.#last);
    for (const kept of this.#kept) if (kept.sequence > this.#said) this.#say(listener, kept);
    if (this.isOver) this.end();
  }

  detach(listener: Listener): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    if (this.#listeners.length === 0) this.unreadSinceMs ??= this.#clock.nowMs();
  }

  /** Whether nothing that the conversation needs is missing of what came after this number. */
  goesOnAfter(sequence: number): boolean {
    return sequence >= this.#lost;
  }

  get isAttended(): boolean {
    return this.#listeners.length > 0;
  }

  #idOf(sequence: number): string {
    return eventId({ stream: this.number, sequence });
  }

  #say(listener: Listener, { event, sequence }: Kept): void {
    listener.write(event);
    this.#said = sequence;
  }

  #count({ event, kind }: Kept, sign: 1 | -1): void {
    this.keptBytes += sign * event.length;
    if (kind === 'lasting') return;
    this.#passing += sign;
    this.#passingBytes += sign * event.length;
  }

  #drop(at: number): void {
    const [dropped] = this.#kept.splice(at, 1);
    if (dropped === undefined) return;
    this.#count(dropped, -1);
    if (dropped.kind === 'lasting') this.#lost = Math.max(this.#lost, dropped.sequence);
  }
}
