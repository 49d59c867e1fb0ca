import type { IncomingHttpHeaders } from 'node:http';
import type { OrganisationId } from '@patchbay/contracts';
import { type SseEvent, SseParser } from '@patchbay/mcp-wire';
import type { OpenMailbox } from '../../mailbox/mailboxes.ts';
import type { Exchange, ExchangeFailure, Receiver } from '../exchange.ts';
import { judgeHead } from '../judge.ts';
import type { HeldStreams } from './held-streams.ts';

/** What the holder of a stream sends to the call that goes on with it. `n` counts what the stream brought since it was held. */
export type FromHolder =
  | { readonly kind: 'live' }
  /** Another call goes on with it already. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'event'; readonly n: number; readonly event: SseEvent }
  | { readonly kind: 'over'; readonly n: number; readonly failure: ExchangeFailure | null };

/** What a call sends to the holder: it lives, or (`pause`) was asked again, and read what came before `n`. */
export type ToHolder =
  | { readonly kind: 'attach'; readonly replyTo: string }
  | { readonly kind: 'pause'; readonly n: number }
  | { readonly kind: 'alive'; readonly n: number }
  | { readonly kind: 'drop' };

export type HeldStreamDeps = { readonly held: HeldStreams; readonly organisationId: OrganisationId };

type Numbered = Extract<FromHolder, { n: number }>;

/** People are slow. */
const HELD_MS_MAX = 15 * 60_000;
/** The pod of the call that goes on with it says more often that it lives. */
const SILENT_MS_MAX = 15_000;
/** Kept while nobody reads. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
/** Kept and on its way to a call that has not said that it read it: as much as a call holds itself. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;

/**
 * A server's stream that cannot be taken up again, because its events are not numbered: while its call waits for answers this pod holds it,
 * and passes what it brings to whichever pod has the call that goes on. Until `hold` everything goes to the first call itself.
 */
export class HeldStream implements Receiver {
  readonly #deps: HeldStreamDeps;
  readonly #first: Receiver;
  #held: Exchange | null = null;
  #parser: SseParser | null = null;
  /** Of an answer in one piece, which some servers give whatever they ask meanwhile. */
  #body: Buffer[] | null = null;
  #box: OpenMailbox | null = null;
  /** The call that goes on with it; null while all wait. */
  #replyTo: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #kept: Numbered[] = [];
  #keptBytes = 0;
  #bodyBytes = 0;
  #count = 0;
  /** A call has read what came before. */
  #readUntil = 0;
  #isDropped = false;
  /** Letters arrive in the order in which they are posted. */
  #posting: Promise<unknown> = Promise.resolve();

  constructor(deps: HeldStreamDeps, first: Receiver) {
    this.#deps = deps;
    this.#first = first;
  }

  /** From now on nobody's call needs it. Resolves with the address under which a later one finds it. `parser`: null before its head has come. */
  async hold(exchange: Exchange, parser: SseParser | null): Promise<string> {
    this.#held = exchange;
    this.#parser = parser;
    exchange.endure();
    this.#dropAfter(HELD_MS_MAX);
    const { held, organisationId } = this.#deps;
    held.add(organisationId, this);
    const box = await held.mailboxes.open(organisationId, (letter) => this.#onLetter(JSON.parse(letter) as ToHolder));
    if (this.#isDropped) box.close();
    else this.#box = box;
    return box.address;
  }

  /** Nobody will go on with it. */
  drop(): void {
    this.#isDropped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#held?.abort();
    this.#box?.close();
    this.#deps.held.delete(this.#deps.organisationId, this);
    this.#kept = [];
  }

  #dropAfter(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.drop(), ms);
  }

  head(status: number, headers: IncomingHttpHeaders): void {
    if (this.#held === null) {
      this.#first.head(status, headers);
      return;
    }
    const kind = judgeHead(status, headers, '');
    if (kind === 'events') this.#parser = new SseParser();
    else if (kind === 'json') this.#body = [];
    else this.failed('malformed');
  }

  data(chunk: Buffer): void {
    if (this.#held === null) this.#first.data(chunk);
    else if (this.#body !== null) this.#keepBody(this.#body, chunk);
    else for (const event of this.#parser?.push(chunk) ?? []) this.#bringEvent(event);
  }

  end(): void {
    if (this.#held === null) {
      this.#first.end();
      return;
    }
    if (this.#body !== null)
      this.#bringEvent({ event: 'message', data: Buffer.concat(this.#body).toString('utf8'), id: null, retry: null });
    this.#bring({ kind: 'over', n: this.#next(), failure: null });
  }

  failed(failure: ExchangeFailure): void {
    if (this.#held === null) this.#first.failed(failure);
    else this.#bring({ kind: 'over', n: this.#next(), failure });
  }

  crashed(error: unknown): void {
    if (this.#held === null) this.#first.crashed(error);
    else this.drop();
  }

  #keepBody(body: Buffer[], chunk: Buffer): void {
    body.push(chunk);
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > KEPT_BYTES_MAX) this.drop();
  }

  #bringEvent(event: SseEvent): void {
    this.#bring({ kind: 'event', n: this.#next(), event });
  }

  #next(): number {
    this.#count += 1;
    return this.#count;
  }

  #bring(letter: Numbered): void {
    this.#kept.push(letter);
    this.#keptBytes += bytesOf(letter);
    // What a call has read is kept while there is room: should its pod die, another may go on with it.
    if (this.#keptBytes > KEPT_BYTES_MAX) this.#forgetRead();
    if (this.#keptBytes > (this.#replyTo === null ? KEPT_BYTES_MAX : UNREAD_BYTES_MAX)) this.drop();
    else if (this.#replyTo !== null) this.#post(this.#replyTo, letter);
  }

  #forgetRead(): void {
    if ((this.#kept[0]?.n ?? this.#readUntil) >= this.#readUntil) return;
    this.#kept = this.#kept.filter(({ n }) => n >= this.#readUntil);
    this.#keptBytes = this.#kept.reduce((bytes, letter) => bytes + bytesOf(letter), 0);
  }

  #onLetter(letter: ToHolder): void {
    switch (letter.kind) {
      case 'attach':
        this.#attach(letter.replyTo);
        break;
      case 'pause':
        this.#pause(letter.n);
        break;
      case 'alive':
        this.#readUntil = Math.max(this.#readUntil, letter.n);
        if (this.#replyTo !== null) this.#dropAfter(SILENT_MS_MAX);
        break;
      case 'drop':
        this.drop();
        break;
    }
  }

  #pause(n: number): void {
    this.#replyTo = null;
    this.#readUntil = Math.max(this.#readUntil, n);
    this.#forgetRead();
    this.#dropAfter(HELD_MS_MAX);
  }

  #attach(replyTo: string): void {
    if (this.#replyTo !== null) {
      this.#post(replyTo, { kind: 'taken' });
      return;
    }
    this.#replyTo = replyTo;
    this.#dropAfter(SILENT_MS_MAX);
    this.#post(replyTo, { kind: 'live' });
    for (const letter of this.#kept) this.#post(replyTo, letter);
  }

  #post(address: string, letter: FromHolder): void {
    const { held, organisationId } = this.#deps;
    this.#posting = this.#posting.then(async () => {
      const posted = await held.mailboxes.post(organisationId, address, JSON.stringify(letter)).catch(() => null);
      // It has left, perhaps to wait again, and then says so; or its pod has died.
      if (posted !== 'posted' && address === this.#replyTo) this.#replyTo = null;
    });
  }
}

function bytesOf(letter: Numbered): number {
  return letter.kind === 'event' ? letter.event.data.length : 0;
}
