import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, refusal } from '@patchbay/errors';
import { type MessageId, scanMessage, SseParser } from '@patchbay/mcp-wire';
import { Exchange, type ExchangeFailure, type ExchangeRequest, type Receiver } from './exchange.ts';
import { judgeHead, refuseBroken, refuseFailure } from './judge.ts';

export type AskOptions = {
  readonly request: ExchangeRequest;
  readonly slug: string;
  /** The id whose response is waited for; null: a notification or DELETE, for which the status is the answer. */
  readonly id: MessageId | null;
  /** Called when nothing could be sent. */
  readonly onUnsent?: () => void;
  /** Told of the status before the answer is judged. */
  readonly onStatus?: (status: number) => void;
};

/** `body`: the bytes of the JSON-RPC response; empty when no id was waited for or the status is an error. */
export type Asked = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * A small exchange whose whole answer is wanted: initialize, notifications, DELETE. A failed dial is tried once more. A status of
 * 300 and above is an answer here only when no id is waited for, or it is 404.
 */
export async function ask(options: AskOptions): Promise<Asked | Refusal> {
  const first = await attempt(options);
  if (first !== 'dial') return concluded(first, options);
  return concluded(await attempt(options), options);
}

function concluded(outcome: Asked | Refusal | ExchangeFailure, { onUnsent, slug }: AskOptions): Asked | Refusal {
  if (typeof outcome !== 'string') return outcome;
  if (outcome === 'dial' || outcome === 'connect-timeout') onUnsent?.();
  return refuseFailure(outcome, slug);
}

function attempt(options: AskOptions): Promise<Asked | Refusal | ExchangeFailure> {
  return new Promise((resolve) => {
    const receiver = new AskReceiver(options, resolve);
    const exchange = new Exchange(options.request, receiver);
    receiver.stop = () => exchange.abort();
    exchange.start();
  });
}

type Settle = (outcome: Asked | Refusal | ExchangeFailure) => void;

class AskReceiver implements Receiver {
  stop: () => void = () => undefined;
  readonly #options: AskOptions;
  readonly #settle: Settle;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #events: SseParser | null = null;

  constructor(options: AskOptions, settle: Settle) {
    this.#options = options;
    this.#settle = settle;
  }

  head(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#options.onStatus?.(status);
    this.#headers = headers;
    if (this.#wantsStatusOnly()) {
      this.#settle({ status, headers, body: NOTHING });
      return;
    }
    const judged = judgeHead(status, headers, this.#options.slug);
    if (typeof judged === 'object') this.#end(judged);
    else if (judged === 'events') this.#events = new SseParser(ANSWER_BYTES_MAX);
  }

  data(chunk: Buffer): void {
    // The rest of an answer that only its status mattered of is read, so that the connection can be used again; but not for long.
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) this.#end(refuseBroken(this.#options.slug, `answered with more than ${ANSWER_BYTES_MAX} bytes`));
    else if (this.#events !== null) this.#readEvents(chunk, this.#events);
    else if (!this.#wantsStatusOnly()) this.#chunks.push(chunk);
  }

  end(): void {
    if (this.#events !== null) this.#end(refuseBroken(this.#options.slug, 'ended its stream without an answer'));
    else if (!this.#wantsStatusOnly()) this.#take(Buffer.concat(this.#chunks));
  }

  failed(failure: ExchangeFailure): void {
    this.#settle(failure);
  }

  /** A refusal rather than a rejection: many of these exchanges are waited for by nobody. */
  crashed(): void {
    this.#settle(refusal('internal'));
  }

  #wantsStatusOnly(): boolean {
    return this.#options.id === null || this.#status === 404;
  }

  #readEvents(chunk: Buffer, events: SseParser): void {
    try {
      for (const { data } of events.push(chunk)) if (data !== '') this.#take(Buffer.from(data));
    } catch {
      this.#end(refuseBroken(this.#options.slug, 'sent an event that is too large'));
    }
  }

  #take(bytes: Buffer): void {
    const { id, slug } = this.#options;
    const scanned = scanMessage(bytes);
    if (this.#status >= 300 || !scanned.ok) {
      this.#end(refuseBroken(slug, `answered HTTP ${this.#status} with a body that is no JSON-RPC answer`));
    } else if (scanned.message.kind === 'response') {
      const isOurs = scanned.message.id === id;
      this.#end(
        isOurs
          ? { status: this.#status, headers: this.#headers, body: bytes }
          : refuseBroken(slug, 'answered with the id of another request'),
      );
    }
  }

  #end(outcome: Asked | Refusal): void {
    this.#settle(outcome);
    // A JSON answer has ended by itself; a stream may not.
    if (this.#events !== null || 'code' in outcome) this.stop();
  }
}
