import { randomBytes } from 'node:crypto';
import { encodeSseEvent } from '@patchbay/mcp-wire';
import type { ServerKey } from '../process/server-process.ts';
import type { Listener } from './numbered-stream.ts';

type Told = { readonly sequence: number; readonly atMs: number; readonly event: Buffer };

/** A storm of one server's is told once in so long, its first change at once and its last never lost. */
const TOLD_EVERY_MS = 250;
/** Whoever has not read this stream before is told what was said so shortly ago, for it may be that nobody read it then. */
const RECENT_MS = 60_000;
const SERVERS_MAX = 1_000;
const FORM = /^([0-9a-f]{16})-(\d{1,12})$/;

/**
 * Which stdio servers said that a list of theirs changed, in whichever session: a stream of numbered events that every control plane reads.
 * It keeps the last change of each server, and no process: who reads it is nobody's session.
 */
export class ListChanges {
  readonly #clock: { nowMs(): number };
  /** Tells this host's numbers from those that another run of it gave. */
  readonly #run = randomBytes(8).toString('hex');
  /** By server, the one that told last at the end. */
  readonly #told = new Map<string, Told>();
  /** Servers that told just now; true: it has told again since. */
  readonly #resting = new Map<string, boolean>();
  readonly #readers = new Set<Listener>();
  #last = 0;

  constructor(clock: { nowMs(): number }) {
    this.#clock = clock;
  }

  /** A process of this server said that one of its lists changed. */
  tell(key: ServerKey): void {
    const name = `${key.organisationId}/${key.serverId}`;
    if (this.#resting.has(name)) {
      this.#resting.set(name, true);
      return;
    }
    this.#say(name, key);
    this.#resting.set(name, false);
    setTimeout(() => {
      const again = this.#resting.get(name) === true;
      this.#resting.delete(name);
      if (again) this.tell(key);
    }, TOLD_EVERY_MS).unref();
  }

  /** Says what came after that event, or where it is none of ours what was told lately, and from now on what comes. */
  attach(reader: Listener, lastEventId: string | null): void {
    const [, run, sequence] = FORM.exec(lastEventId ?? '') ?? [];
    const nowMs = this.#clock.nowMs();
    const isNews = (told: Told): boolean => (run === this.#run ? told.sequence > Number(sequence) : nowMs - told.atMs < RECENT_MS);
    for (const told of this.#told.values()) if (isNews(told)) reader.write(told.event);
    // A place to come back to, also where there is no news.
    reader.write(encodeSseEvent({ id: this.#idOf(this.#last), data: '' }));
    this.#readers.add(reader);
  }

  detach(reader: Listener): void {
    this.#readers.delete(reader);
  }

  /** Sends all readers away. */
  hangUp(): void {
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  #say(name: string, { organisationId, serverId }: ServerKey): void {
    this.#last += 1;
    const event = encodeSseEvent({ event: 'message', id: this.#idOf(this.#last), data: JSON.stringify({ organisationId, serverId }) });
    this.#told.delete(name);
    this.#told.set(name, { sequence: this.#last, atMs: this.#clock.nowMs(), event });
    const [oldest] = this.#told.keys();
    if (this.#told.size > SERVERS_MAX && oldest !== undefined) this.#told.delete(oldest);
    for (const reader of this.#readers) reader.write(event);
  }

  #idOf(sequence: number): string {
    return `${this.#run}-${sequence}`;
  }
}
