import type { OrganisationId } from '@patchbay/contracts';
import type { Refusal } from '@patchbay/errors';
import { encodeSseEvent } from '@patchbay/mcp-wire';
import type { Mailboxes, OpenMailbox } from '../../mailbox/mailboxes.ts';
import type { Connection } from '../exchange.ts';
import { refuseFailure } from '../judge.ts';
import type { Relay } from '../relay.ts';
import type { FromHolder, ToHolder } from './held-stream.ts';

export type RemoteStreamInput = {
  readonly mailboxes: Pick<Mailboxes, 'open' | 'post'>;
  readonly organisationId: OrganisationId;
  readonly address: string;
  readonly relay: Relay;
  readonly slug: string;
  readonly timeoutMs: number;
  readonly onLive: () => void;
  /** What is wrong when nobody holds it any more. */
  readonly lost: Refusal;
};

/** How often it is asked whether the holder still lives: its lease is of three times that. */
const ALIVE_EVERY_MS = 4_000;
/** Said sooner than that after so much: the holder keeps what nobody has said to have read. */
const UNSAID_BYTES_MAX = 1024 * 1024;
/** A holder that lives answers at once. */
const ANSWER_MS_MAX = 5_000;
const TIMEOUTS_MAX = 10;
const HEADERS = { 'content-type': 'text/event-stream' } as const;

/** A server's stream that some pod holds, as the call on this pod reads it. */
export class RemoteStream implements Connection {
  readonly #input: RemoteStreamInput;
  readonly #lastMoment: number;
  #box: OpenMailbox | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #alive: NodeJS.Timeout | null = null;
  #read = 0;
  /** What was read since the holder was told. */
  #unsaidBytes = 0;
  #isOver = false;

  constructor(input: RemoteStreamInput) {
    this.#input = input;
    this.#lastMoment = performance.now() + input.timeoutMs * TIMEOUTS_MAX;
  }

  /** Of the pod that holds the stream. */
  get address(): string {
    return this.#input.address;
  }

  async start(): Promise<void> {
    const { lost, mailboxes, organisationId } = this.#input;
    this.#failAfter(ANSWER_MS_MAX, lost);
    this.#alive = setInterval(() => this.#sayAlive(), ALIVE_EVERY_MS);
    this.#box = await mailboxes.open(organisationId, (letter) => this.#take(JSON.parse(letter) as FromHolder));
    if (this.#isOver) this.#box.close();
    else await this.#post({ kind: 'attach', replyTo: this.#box.address });
  }

  /** The server asked again: the stream stays where it is, and what was not read of it yet is kept for a later call. */
  async leave(): Promise<void> {
    this.#finish();
    await this.#post({ kind: 'pause', n: this.#read + 1 });
  }

  abort(): void {
    if (this.#finish()) void this.#post({ kind: 'drop' });
  }

  /** What a stream brings after its answer is worth nothing. */
  linger(): void {
    this.abort();
  }

  extend(): void {
    const { slug, timeoutMs } = this.#input;
    if (!this.#isOver)
      this.#failAfter(Math.max(0, Math.min(timeoutMs, this.#lastMoment - performance.now())), refuseFailure('timeout', slug));
  }

  #failAfter(ms: number, refused: Refusal): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#fail(refused), ms);
  }

  pause(): void {
    // The holder reads on, and lets go of the stream when too much of it was not read here.
  }

  resume(): void {
    // Nothing was paused.
  }

  #take(letter: FromHolder): void {
    if (this.#isOver) return;
    const { lost, onLive, relay } = this.#input;
    switch (letter.kind) {
      case 'live':
        this.extend();
        relay.head(200, HEADERS);
        onLive();
        break;
      case 'taken':
        this.#fail(lost);
        break;
      case 'event':
        this.#read = letter.n;
        this.#unsaidBytes += letter.event.data.length;
        relay.data(encode(letter.event));
        if (this.#unsaidBytes > UNSAID_BYTES_MAX) this.#sayAlive();
        break;
      case 'over':
        if (letter.failure === null) relay.end();
        else relay.failed(letter.failure);
        break;
    }
  }

  #sayAlive(): void {
    if (this.#isOver) return;
    this.#unsaidBytes = 0;
    void this.#post({ kind: 'alive', n: this.#read + 1 });
  }

  async #post(letter: ToHolder): Promise<void> {
    const { address, lost, mailboxes, organisationId } = this.#input;
    const posted = await mailboxes.post(organisationId, address, JSON.stringify(letter)).catch(() => null);
    if (posted === 'absent' && !this.#isOver) this.#fail(lost);
  }

  #fail(refusal: Refusal): void {
    this.#finish();
    this.#input.relay.refuse(refusal);
  }

  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (this.#alive !== null) clearInterval(this.#alive);
    this.#box?.close();
    return true;
  }
}

function encode({ data, event, id, retry }: Extract<FromHolder, { kind: 'event' }>['event']): Buffer {
  return encodeSseEvent({ data, event, ...(id === null ? {} : { id }), ...(retry === null ? {} : { retry }) });
}
