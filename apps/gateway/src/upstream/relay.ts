import type { IncomingHttpHeaders } from 'node:http';
import type { Refusal } from '@patchbay/errors';
import { type ScannedMessage, scanMessage, SseParser } from '@patchbay/mcp-wire';
import type { Bridge } from './bridge/bridge.ts';
import type { Downstream } from './downstream.ts';
import type { ExchangeFailure, Receiver } from './exchange.ts';
import { judgeHead, refuseBroken, refuseFailure } from './judge.ts';
import type { RelayEnd } from './relay-end.ts';
import { StreamPosition } from './stream-position.ts';
import { CHECKED_BYTES_MAX, firstByte, isToolError, OPEN_OBJECT, RESPONSE_BYTES_MAX } from './answer-bytes.ts';
import { readErrorBody, readHostRefusal } from './upstream-error.ts';
import { SCAN } from './scan-limits.ts';

export type RelayInput = {
  readonly slug: string;
  readonly isModernClient: boolean;
  readonly isStdio: boolean;
  /** A 404 means that the session is gone, not that something is missing. */
  readonly hasSession: boolean;
  readonly bridge: Bridge;
  readonly downstream: Downstream;
  /** The exchange this relay listens to. */
  readonly control: { pause(): void; extend(): void; leave(): void };
  /** False: the upstream says more than it may without being asked, and this goes no further. */
  readonly admits: (message: ScannedMessage) => boolean;
  /** A request of the upstream that its client is not asked on the stream of its call. */
  readonly onRequest: (bytes: Buffer, message: ScannedMessage) => void;
  /** The upstream let go of a stream whose events are numbered. True: another exchange brings the rest. */
  readonly onCut: (lastEventId: string) => boolean;
  readonly settle: (end: RelayEnd) => void;
};

type Mode = 'head' | 'buffer' | 'stream' | 'events' | 'over';

/** Largest answer that is held: whatever must be read before it may go down. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;

/** Carries an upstream's answer to the client: judges the head, streams or rewrites the body, and says exactly once how it ended. */
export class Relay implements Receiver {
  upstreamStatus = 0;
  readonly position: StreamPosition;
  readonly #input: RelayInput;
  #mode: Mode = 'head';
  #chunks: Buffer[] = [];
  #bytes = 0;
  #received = 0;
  #events: SseParser | null = null;

  constructor(input: RelayInput) {
    this.#input = input;
    this.position = new StreamPosition(input.bridge);
  }

  get isOver(): boolean {
    return this.#mode === 'over';
  }

  /** No part of an answer has come. */
  get isWaiting(): boolean {
    return this.#mode === 'head' || this.#mode === 'events';
  }

  head(status: number, headers: IncomingHttpHeaders): void {
    const { bridge, downstream, hasSession, slug } = this.#input;
    this.upstreamStatus = status;
    if (status === 404 && hasSession) {
      this.#settle({ kind: 'gone' });
      return;
    }
    const kind = judgeHead(status, headers, slug);
    if (typeof kind === 'object') {
      this.#refuse(kind);
    } else if (kind === 'json') {
      this.#mode = 'buffer';
    } else {
      this.#mode = 'events';
      this.#events = new SseParser(HELD_BYTES_MAX);
      // Who can resume a stream wants to know at once that it stands; others may still get their answer in one piece.
      if (bridge.eventId !== null) downstream.begin();
      downstream.keepAlive();
    }
  }

  data(chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#received > RESPONSE_BYTES_MAX)
      this.#refuse(refuseBroken(this.#input.slug, `answered with more than ${RESPONSE_BYTES_MAX} bytes`));
    else if (this.#mode === 'events') this.#readEvents(chunk);
    else if (this.#mode === 'buffer') this.#hold(chunk);
    else if (this.#mode === 'stream') this.#pass(chunk);
  }

  end(): void {
    const { downstream, slug } = this.#input;
    if (this.#mode === 'buffer') {
      this.#finishHeld(Buffer.concat(this.#chunks));
    } else if (this.#mode === 'events') {
      if (!this.park() && !this.#isTakenUp()) this.#refuse(refuseBroken(slug, 'ended its stream without an answer'));
    } else if (this.#mode === 'stream') {
      downstream.end();
      this.#settle({ kind: 'answered', isToolError: false });
    } else if (this.#mode === 'head') {
      this.#refuse(refuseBroken(slug, 'answered nothing'));
    }
  }

  failed(failure: ExchangeFailure): void {
    if (this.#mode === 'over') return;
    if (this.#mode === 'events' && failure === 'cut' && (this.park() || this.#isTakenUp())) return;
    if (failure === 'dial') this.#settle({ kind: 'dial' });
    else this.#refuse(refuseFailure(failure, this.#input.slug));
  }

  crashed(error: unknown): void {
    this.#settle({ kind: 'crashed', error });
  }

  /** Ends it from our side: what comes from the upstream no longer matters. */
  stop(end: RelayEnd): void {
    this.#settle(end);
  }

  /** The same, with an answer of ours. */
  finish(answer: Buffer): void {
    if (this.#mode !== 'over') this.#deliver(200, answer, false);
  }

  /** The same, with a refusal. */
  refuse(refusal: Refusal): void {
    if (this.#mode !== 'over') this.#refuse(refusal);
  }

  /** The reader of its events, for whoever goes on with them. */
  get reader(): SseParser | null {
    return this.#events;
  }

  /** True: nothing more comes from here, because the client can ask for the rest itself, from any pod; its stream has ended. */
  park(): boolean {
    if (this.#mode !== 'events' || !this.position.isKnownToClient) return false;
    if (!this.#input.downstream.isGone) this.#input.downstream.end();
    this.#settle({ kind: 'parked' });
    return true;
  }

  /** The rest begins with a head of its own. */
  #isTakenUp(): boolean {
    const { lastEventId } = this.position;
    if (lastEventId === null || !this.#input.onCut(lastEventId)) return false;
    this.#mode = 'head';
    return true;
  }

  #hold(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > HELD_BYTES_MAX) {
      this.#refuse(refuseBroken(this.#input.slug, `answered with more than ${HELD_BYTES_MAX} bytes`));
    } else if (this.#bytes > CHECKED_BYTES_MAX && this.#input.bridge.isVerbatim && this.upstreamStatus < 300) {
      this.#beginStream();
    }
  }

  /** Too large to hold for nothing: same era, same id, so the bytes are the answer. */
  #beginStream(): void {
    const held = Buffer.concat(this.#chunks);
    this.#chunks = [];
    if (firstByte(held) !== OPEN_OBJECT || this.#input.downstream.isCommitted) {
      this.#refuse(refuseBroken(this.#input.slug, 'answered with a body that is not JSON-RPC'));
      return;
    }
    this.#mode = 'stream';
    this.#input.downstream.beginBody();
    this.#pass(held);
  }

  #pass(chunk: Buffer): void {
    if (!this.#input.downstream.write(chunk)) this.#input.control.pause();
  }

  #finishHeld(bytes: Buffer): void {
    if (this.upstreamStatus >= 300) {
      this.#finishError(bytes);
      return;
    }
    const scanned = scanMessage(bytes, SCAN);
    if (!scanned.ok || scanned.message.kind !== 'response')
      this.#refuse(refuseBroken(this.#input.slug, 'answered with a body that is not a JSON-RPC response'));
    else this.#answer(bytes, scanned.message);
  }

  #finishError(bytes: Buffer): void {
    const { bridge, hasSession, isModernClient, isStdio, slug } = this.#input;
    const error = readErrorBody(bytes, { status: this.upstreamStatus, slug, isStdio, isModernClient, hasSession });
    if (error.kind === 'refusal') {
      this.#refuse(error.refusal);
    } else if (error.kind === 'session-gone') {
      this.#settle({ kind: 'gone' });
    } else {
      // Such bodies often have no id: nothing else can be meant than this request.
      const response = Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(bridge.upstreamId)},"error":${error.error}}`);
      const scanned = scanMessage(response, SCAN);
      if (scanned.ok) this.#answer(response, scanned.message, error.status);
      else this.#refuse(refuseBroken(slug, `answered HTTP ${this.upstreamStatus} with an error that is not JSON-RPC`));
    }
  }

  #readEvents(chunk: Buffer): void {
    let events: ReturnType<SseParser['push']>;
    try {
      events = this.#events?.push(chunk) ?? [];
    } catch {
      this.#refuse(refuseBroken(this.#input.slug, `sent an event of more than ${HELD_BYTES_MAX} bytes`));
      return;
    }
    for (const event of events) {
      this.position.note(event);
      // Events without data only carry a position to resume from.
      if (event.data !== '' && event.event === 'message') this.#readEvent(Buffer.from(event.data));
      if (this.#mode !== 'events') return;
      // What is not carried still moves the position on.
      const position = this.position.take();
      if (position !== null && !this.#input.downstream.sendPosition(position)) this.#input.control.pause();
    }
  }

  #send(bytes: Buffer): void {
    if (!this.#input.downstream.sendEvent(bytes, this.position.take())) this.#input.control.pause();
  }

  #readEvent(bytes: Buffer): void {
    const { admits, bridge, downstream, onRequest, slug } = this.#input;
    const scanned = scanMessage(bytes, SCAN);
    if (!scanned.ok) {
      // A notification with look-alike keys is no reason to lose the call; an answer like that is missed when the stream ends.
      if (scanned.refusal.code !== 'rpc.ambiguous') this.#refuse(refuseBroken(slug, 'sent an event that is not JSON-RPC'));
      return;
    }
    const { message } = scanned;
    if (message.kind === 'response') {
      this.#answer(bytes, message);
    } else if (!admits(message)) {
      return;
    } else if (message.kind === 'request') {
      // A client that has left without a place to come back to cannot be asked.
      const asked = downstream.isGone ? null : bridge.request(bytes, message);
      if (asked === null) onRequest(bytes, message);
      else this.#send(asked);
    } else {
      this.hear(bytes, message);
    }
  }

  /** A notification, on the call's own stream or elsewhere. */
  hear(bytes: Buffer, message: ScannedMessage): void {
    const { bridge, control } = this.#input;
    if (this.#mode === 'over') return;
    const carried = bridge.notification(bytes, message);
    if (message.method === 'notifications/progress') control.extend();
    if (carried !== null) this.#send(carried);
  }

  #answer(bytes: Buffer, message: ScannedMessage, status = 200): void {
    const { bridge, isStdio, slug } = this.#input;
    if (message.id !== bridge.upstreamId) {
      this.#refuse(refuseBroken(slug, 'answered with the id of another request'));
      return;
    }
    const hostRefusal = isStdio && message.errorSpan !== null ? readHostRefusal(bytes) : null;
    const answer = hostRefusal ?? bridge.answer(bytes, message);
    if ('code' in answer) this.#refuse(answer);
    else if ('requests' in answer) this.#settle({ kind: 'input-required', required: answer });
    else this.#deliver(status, answer, message.resultSpan !== null && isToolError(bytes));
  }

  #deliver(status: number, body: Buffer, isError: boolean): void {
    if (!this.#input.downstream.isGone) this.#input.downstream.sendAnswer(status, body, this.position.take());
    this.#settle({ kind: 'answered', isToolError: isError });
  }

  /** Answered by the pipeline, also on a stream that has begun; a body that has begun can only be cut. */
  #refuse(refusal: Refusal): void {
    const { downstream } = this.#input;
    if (this.#mode !== 'stream' || downstream.isGone) {
      this.#settle({ kind: 'refused', refusal });
      return;
    }
    downstream.destroy();
    this.#settle({ kind: 'broken-off', refusal });
  }

  #settle(end: RelayEnd): void {
    if (this.#mode === 'over') return;
    this.#mode = 'over';
    this.#chunks = [];
    this.#events = null;
    this.#input.control.leave();
    this.#input.settle(end);
  }
}
