import { type MessageId, type ScannedMessage, scanMessage, type SseEvent } from '@patchbay/mcp-wire';
import { UpstreamStream } from '../../streams/upstream-stream.ts';
import type { ExchangeFailure } from '../exchange.ts';
import { streamHeaders } from '../headers.ts';
import { notify } from '../open-session.ts';
import { admitUnasked } from '../unasked-limits.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import { TAKES_NO_REQUESTS } from './takes-no-requests.ts';

/** A call that may be meant by what its server says without naming a call. */
export type Hearer = {
  /** False: it cannot be asked this; another may. */
  ask(bytes: Buffer, message: ScannedMessage): boolean;
  /** Progress, or that a question is withdrawn; of this call or another. */
  hear(bytes: Buffer, message: ScannedMessage): void;
};

/** `taken`: another connection reads it. `none`: the server has no such stream. `failed`: the session or the server is not there. */
export type Stood = 'open' | 'taken' | 'none' | 'failed';

export type GeneralStreamInput = {
  readonly upstream: Upstream;
  readonly session: LocatedSession;
};

const IDLE_MS = 60_000;
const REOPEN_MS = 1_000;
const WAITING_MAX = 100;
const HEARD: ReadonlySet<string> = new Set(['notifications/progress', 'notifications/cancelled']);
const [GONE, TAKEN] = [404, 409];
/** A server that has the stream says so at once; a call waits for that. */
const OPEN_MS_MAX = 1_500;

/** The stream on which a legacy server says what belongs to no call, read while calls of modern clients use its session. */
export class GeneralStream {
  readonly #input: GeneralStreamInput;
  readonly #hearers: Hearer[] = [];
  /** Requests that no call could be asked yet. */
  #waiting: Buffer[] = [];
  #stream: UpstreamStream | null = null;
  #lastEventId: string | null = null;
  /** Nobody listens: it is closed after a while. */
  #idle: NodeJS.Timeout | null = null;
  /** It was cut: it is opened again. */
  #reopening: NodeJS.Timeout | null = null;
  #opened: Promise<Stood> | null = null;
  #isOpen = false;
  #isOver = false;
  readonly #onOver: (() => void)[] = [];

  constructor(input: GeneralStreamInput) {
    this.#input = input;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Opened once, whoever asks. */
  open(): Promise<Stood> {
    this.#opened ??= this.#connect();
    return this.#opened;
  }

  /** When it is read no more. */
  onceOver(tell: () => void): void {
    if (this.#isOver) tell();
    else this.#onOver.push(tell);
  }

  #connect(): Promise<Stood> {
    return new Promise((resolve) => {
      const { session, upstream } = this.#input;
      const way = upstream.ways.to(session);
      const stands = (stood: Stood): void => {
        this.#isOpen = stood === 'open';
        if (!this.#isOpen) this.close();
        resolve(stood);
      };
      if (way === null) return stands('failed');
      const headers = streamHeaders(upstream, session, this.#lastEventId);
      const request = { pool: way.streams(), path: way.path, headers, timeoutMs: OPEN_MS_MAX };
      this.#stream = new UpstreamStream(request, {
        opened: () => stands('open'),
        event: (event) => this.#read(event),
        refused: (why) => stands(whyNot(why)),
        ended: () => this.#onEnded(),
      });
      this.#stream.open();
    });
  }

  /** The youngest is asked first. */
  add(hearer: Hearer): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#hearers.push(hearer);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) this.#hear(bytes);
  }

  /** `untold`: what it was asked and did not come to tell its client; others may. */
  remove(hearer: Hearer, untold: readonly Buffer[]): void {
    const index = this.#hearers.indexOf(hearer);
    if (index >= 0) this.#hearers.splice(index, 1);
    for (const bytes of untold) this.#hear(bytes);
    if (this.#hearers.length > 0 || this.#isOver) return;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isOpen = false;
    if (this.#idle !== null) clearTimeout(this.#idle);
    if (this.#reopening !== null) clearTimeout(this.#reopening);
    this.#stream?.close();
    for (const bytes of this.#waiting) this.#refuse(bytes);
    for (const tell of this.#onOver) tell();
  }

  /** Load balancers cut what is silent; who still listens wants the rest. */
  #onEnded(): void {
    if (this.#isOver) return;
    if (this.#hearers.length === 0) this.close();
    else this.#reopening = setTimeout(() => void this.#connect(), REOPEN_MS);
  }

  #read({ data, event, id }: SseEvent): void {
    this.#lastEventId = id ?? this.#lastEventId;
    if (data !== '' && event === 'message') this.#hear(Buffer.from(data), true);
  }

  /** `isNew`: the server says it now. */
  #hear(bytes: Buffer, isNew = false): void {
    const scanned = scanMessage(bytes);
    if (!scanned.ok) return;
    const { message } = scanned;
    if (isNew && !admitUnasked(this.#input.upstream, this.#input.session, message)) return;
    if (message.kind === 'notification') {
      if (!HEARD.has(message.method)) return;
      if (message.requestId !== null) this.#waiting = this.#waiting.filter((waiting) => idOf(waiting) !== message.requestId);
      for (const hearer of this.#hearers) hearer.hear(bytes, message);
    } else if (message.kind === 'request') {
      this.#ask(bytes, message);
    }
  }

  #ask(bytes: Buffer, message: ScannedMessage): void {
    if (message.method === 'ping') {
      this.#answer(message, { result: {} });
      return;
    }
    for (const hearer of this.#hearers.toReversed()) if (hearer.ask(bytes, message)) return;
    if (this.#waiting.length < WAITING_MAX && !this.#isOver) this.#waiting.push(bytes);
    else this.#answer(message, { error: TAKES_NO_REQUESTS });
  }

  #refuse(bytes: Buffer): void {
    const scanned = scanMessage(bytes);
    if (scanned.ok) this.#answer(scanned.message, { error: TAKES_NO_REQUESTS });
  }

  #answer({ id }: ScannedMessage, answer: object): void {
    void notify(this.#input.upstream, this.#input.session, JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  }
}

function idOf(bytes: Buffer): MessageId | null {
  const scanned = scanMessage(bytes);
  return scanned.ok ? scanned.message.id : null;
}

function whyNot(why: number | ExchangeFailure): Stood {
  if (why === TAKEN) return 'taken';
  return why === GONE || why === 'dial' || why === 'connect-timeout' ? 'failed' : 'none';
}
