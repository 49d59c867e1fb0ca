import { catalog, type Refusal, refusal, sayOf } from '@patchbay/errors';
import { sliceMember } from '../json-slices.ts';
import type { MessageId, ScannedMessage } from '../scanned-message.ts';
import type { ScanOutcome } from '../scan.ts';

type Deliver = (message: Buffer) => Promise<void>;

/** A request of the client that waits for its one answer. */
export class Pending {
  /** JSON of the id, its type kept. */
  readonly idText: string;
  readonly isModern: boolean;
  /** It lasts until somebody ends it. */
  readonly isSubscription: boolean;
  /** How long it is. */
  readonly bytes: number;
  readonly #abort = new AbortController();
  readonly #deliver: Deliver;
  readonly #answered = Promise.withResolvers<void>();
  #isOver = false;

  constructor(scanned: ScanOutcome, bytes: number, deliver: Deliver) {
    this.bytes = bytes;
    this.idText = JSON.stringify(scanned.ok ? scanned.message.id : scanned.id);
    this.isModern = scanned.ok && isModernMessage(scanned.message);
    this.isSubscription = scanned.ok && scanned.message.method === 'subscriptions/listen';
    this.#deliver = deliver;
  }

  /** Aborted when the client has taken its request back and the server learns that from the closed connection. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** It was answered, or its answer is not wanted any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Kept when it is over; never rejects. */
  get over(): Promise<void> {
    return this.#answered.promise;
  }

  /** Hands the answer over, unless it was answered or cancelled before. */
  async answer(response: Buffer): Promise<void> {
    if (this.#isOver) return;
    this.forget();
    await this.#deliver(response);
  }

  /** Answers with what an HTTP error's body said, or, where that is no JSON-RPC error, with its status. */
  answerError(status: number, body: Buffer): Promise<void> {
    const error = sliceMember(body, ['error']);
    if (error === null) return this.refuse(refusal('upstream.broken', `It answered HTTP ${status}.`));
    return this.answer(Buffer.from(`{"jsonrpc":"2.0","id":${this.idText},"error":${body.toString('utf8', error.start, error.end)}}`));
  }

  refuse(refused: Refusal): Promise<void> {
    const error = { code: catalog[refused.code].rpc, message: sayOf(refused), data: { ...refused.data, code: refused.code } };
    return this.answer(Buffer.from(`{"jsonrpc":"2.0","id":${this.idText},"error":${JSON.stringify(error)}}`));
  }

  /** No answer is wanted any more. */
  forget(): void {
    this.#isOver = true;
    this.#answered.resolve();
  }

  /** The same, and the connection it waits on is closed. */
  abort(): void {
    this.forget();
    this.#abort.abort();
  }
}

/** The requests of one channel that wait, by id: "1" and 1 are two. */
export class PendingRequests {
  /** Each, also where a client repeats an id. */
  readonly #all = new Set<Pending>();
  readonly #byId = new Map<string, Pending>();
  readonly #deliver: Deliver;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  add(scanned: ScanOutcome, bytes: number): Pending {
    const pending = new Pending(scanned, bytes, this.#deliver);
    const key = pending.idText;
    this.#all.add(pending);
    this.#byId.set(key, pending);
    void pending.over.then(() => {
      this.#all.delete(pending);
      if (this.#byId.get(key) === pending) this.#byId.delete(key);
    });
    return pending;
  }

  find(id: MessageId | null): Pending | undefined {
    return this.#byId.get(JSON.stringify(id));
  }

  all(): Pending[] {
    return [...this.#all];
  }

  /** Those that end by themselves. */
  ending(): Pending[] {
    return this.all().filter(({ isSubscription }) => !isSubscription);
  }
}

/** Whether a message carries its revision itself (2026-07-28 and later). */
export function isModernMessage({ metaProtocolVersionSpan }: ScannedMessage): boolean {
  return metaProtocolVersionSpan !== null;
}
