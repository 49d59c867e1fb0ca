import type { ServerResponse } from 'node:http';
import type { Refusal } from '@patchbay/errors';
import type { RequestOutcome } from '../ops/request-recorder.ts';
import type { Reply } from '../process/reply.ts';
import { errorText } from '../process/rpc-text.ts';
import type { EventKind, NumberedStream } from '../streams/numbered-stream.ts';
import type { SessionStreams } from '../streams/session-streams.ts';
import { sendJson } from './answers.ts';
import { EventResponse } from './event-response.ts';

export type HttpReplyOptions = {
  readonly response: ServerResponse;
  readonly idText: string;
  readonly streams: SessionStreams;
  /** Whether the caller can read an event without data. */
  readonly canPrime: boolean;
  /** Told how, once everything is written. */
  readonly ended: (outcome: RequestOutcome) => void;
};

/** An answer that takes longer begins its stream, so that its caller can come back for it. */
const PRIME_AFTER_MS = 1_000;

/**
 * The answer to one POSTed request: a JSON body when the response is the first message that arrives, else a numbered stream, which
 * outlives its connection.
 */
export class HttpReply implements Reply {
  readonly #options: HttpReplyOptions;
  readonly #priming: NodeJS.Timeout | null;
  #stream: NumberedStream | null = null;

  constructor(options: HttpReplyOptions) {
    this.#options = options;
    this.#priming = options.canPrime ? setTimeout(() => this.#numbered().prime(), PRIME_AFTER_MS) : null;
  }

  /** Null also while there is no number to come back with. */
  get unreadSinceMs(): number | null {
    return this.#stream?.unreadSinceMs ?? null;
  }

  /** The caller has left. False: nothing was said yet, so that it cannot come back. */
  left(): boolean {
    this.#stopPriming();
    return this.#stream !== null;
  }

  pass(message: Buffer, kind: EventKind): void {
    this.#numbered().append(message, kind);
  }

  finish(message: Buffer): void {
    this.#say(message);
    this.#options.ended('ok');
  }

  fail(refused: Refusal): void {
    this.#say(errorText(this.#options.idText, refused));
    this.#options.ended(refused.code);
  }

  abandon(): void {
    this.#numbered().end();
    this.#options.ended('cancelled');
  }

  #say(message: Buffer): void {
    this.#stopPriming();
    if (this.#stream === null) return sendJson(this.#options.response, 200, message);
    this.#stream.append(message, 'lasting');
    this.#stream.end();
  }

  #numbered(): NumberedStream {
    this.#stopPriming();
    if (this.#stream !== null) return this.#stream;
    const { response, streams } = this.#options;
    const stream = (this.#stream = streams.open());
    if (response.destroyed) return stream;
    const listener = new EventResponse(response);
    response.on('close', () => stream.detach(listener));
    stream.attach(listener, null);
    return stream;
  }

  #stopPriming(): void {
    if (this.#priming !== null) clearTimeout(this.#priming);
  }
}
