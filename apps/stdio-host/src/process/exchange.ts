import { refusal, type Refusal } from '@patchbay/errors';
import { scanMessage, sliceMember, splice, type ScannedMessage } from '@patchbay/mcp-wire';
import type { OutputTail } from './output-tail.ts';
import type { Reply } from './reply.ts';
import { errorText, keyOf, resultText, toOneLine } from './rpc-text.ts';

/** One message as it came over HTTP, scanned; `bytes` are one line. `traceparent` is written over the one that it brings, if any. */
export type Incoming = { readonly bytes: Buffer; readonly message: ScannedMessage; readonly traceparent?: string | null };

/** A request the server has not answered yet. */
export type Flight = {
  readonly sessionId: string;
  /** Its id and progress token as the server knows them. */
  readonly key: string;
  readonly tokenKey: string | null;
  /** As the caller knows them. */
  readonly callersKey: string;
  readonly idText: Buffer;
  readonly tokenText: Buffer | null;
  readonly reply: Reply;
};

export type ExchangeOptions = {
  /** True where several sessions talk to one process: ids and progress tokens become our own, so that no session meets another's answer. */
  readonly remap: boolean;
  readonly serverName: string;
  readonly write: (line: Buffer | string) => boolean;
  readonly tail: OutputTail;
};

/** A server is trusted less than a caller in what it may cost, but its lists are legitimately large. */
const SCAN_LIMITS = { depthMax: 256, elementsMax: 5_000_000 };

/** Which answer belongs to whom, on one process. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #flights = new Map<string, Flight>();
  readonly #byToken = new Map<string, Flight>();
  #lastId = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Sends a request on. Null with a refusal passed to `reply` when it cannot be sent. */
  request(sessionId: string, incoming: Incoming, reply: Reply): Flight | null {
    const flight = this.#flight(sessionId, incoming, reply);
    if (this.#flights.has(flight.key)) {
      reply.fail(refusal('rpc.invalid', 'A request with this id is still being answered in this session.'));
      return null;
    }
    this.#add(flight);
    if (this.#options.write(edited(incoming, this.#options.remap ? flight.key.slice(1) : null))) return flight;
    this.release(flight);
    reply.fail(refusal('upstream.unreachable', `Stdio server "${this.#options.serverName}" is not taking messages.`));
    return null;
  }

  /** Sends a notification on, unless it is of no concern to a process that others share. */
  notify(sessionId: string, { bytes, message }: Incoming): void {
    const { remap, write } = this.#options;
    const cancelled = message.method === 'notifications/cancelled' ? this.#ofCaller(sessionId, message) : null;
    if (!remap) write(bytes);
    else if (cancelled !== null && message.requestIdSpan !== null) {
      write(splice(bytes, [{ ...message.requestIdSpan, replacement: cancelled.key.slice(1) }]));
    }
    if (cancelled === null) return;
    // The server owes no answer any more, so the caller's HTTP request must not wait for one.
    this.release(cancelled);
    cancelled.reply.abandon();
  }

  /** Takes one line of the server's stdout. */
  receive(line: Buffer): void {
    const scanned = scanMessage(line, SCAN_LIMITS);
    if (!scanned.ok) return this.#broken(line, scanned.id === null ? null : keyOf(scanned.id));
    const { message } = scanned;
    switch (message.kind) {
      case 'response':
        return this.#answer(line, message);
      case 'request':
        return this.#refuse(line, message);
      case 'notification':
        return this.#pass(line, message);
    }
  }

  /** Forgets a request; a late answer to it is dropped. */
  release(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
    if (flight.tokenKey !== null && this.#byToken.get(flight.tokenKey) === flight) this.#byToken.delete(flight.tokenKey);
  }

  /** Answers everything still open of one session, or of all. */
  failAll(refused: Refusal, sessionId: string | null = null): void {
    for (const flight of [...this.#flights.values()]) {
      if (sessionId !== null && flight.sessionId !== sessionId) continue;
      this.release(flight);
      flight.reply.fail(refused);
    }
  }

  inFlightOf(sessionId: string): number {
    let count = 0;
    for (const flight of this.#flights.values()) if (flight.sessionId === sessionId) count += 1;
    return count;
  }

  #flight(sessionId: string, { bytes, message }: Incoming, reply: Reply): Flight {
    const ownKey = `n${(this.#lastId += 1)}`;
    const callersKey = message.id === null ? ownKey : keyOf(message.id);
    const { remap } = this.#options;
    const tokenKey = message.progressToken === null ? null : keyOf(message.progressToken);
    return {
      sessionId,
      callersKey,
      reply,
      key: remap ? ownKey : callersKey,
      tokenKey: remap && tokenKey !== null ? ownKey : tokenKey,
      idText: textAt(bytes, message.idSpan) ?? Buffer.from('null'),
      tokenText: textAt(bytes, message.progressTokenSpan),
    };
  }

  #add(flight: Flight): void {
    this.#flights.set(flight.key, flight);
    if (flight.tokenKey !== null) this.#byToken.set(flight.tokenKey, flight);
  }

  #ofCaller(sessionId: string, message: ScannedMessage): Flight | null {
    if (message.requestId === null) return null;
    const key = keyOf(message.requestId);
    for (const flight of this.#flights.values()) if (flight.sessionId === sessionId && flight.callersKey === key) return flight;
    return null;
  }

  #answer(line: Buffer, message: ScannedMessage): void {
    const flight = message.id === null ? undefined : this.#flights.get(keyOf(message.id));
    if (flight === undefined || message.idSpan === null) return;
    this.release(flight);
    flight.reply.finish(this.#options.remap ? splice(line, [{ ...message.idSpan, replacement: flight.idText }]) : line);
  }

  /** Not a JSON-RPC message: kept for people to read, and an answer if it can be told whose it was. */
  #broken(line: Buffer, key: string | null): void {
    this.#options.tail.pushStray(line);
    const flight = key === null ? undefined : this.#flights.get(key);
    if (flight === undefined) return;
    this.release(flight);
    flight.reply.fail(refusal('upstream.broken', `It came from stdio server "${this.#options.serverName}".`));
  }

  /** Requests from a server to its client have no way to the client yet; only ping is answered. */
  #refuse(line: Buffer, message: ScannedMessage): void {
    const idText = textAt(line, message.idSpan) ?? 'null';
    if (message.method === 'ping') this.#options.write(resultText(idText, '{}'));
    else this.#options.write(errorText(idText, refusal('rpc.method_unknown', 'The client of this server does not take requests.')));
  }

  /** A notification goes to the request it belongs to, and nowhere else. */
  #pass(line: Buffer, { method }: ScannedMessage): void {
    if (method === 'notifications/progress') return this.#progress(line);
    // A log message names no request. On a process of one session it can only belong to a request that is alone.
    if (method !== 'notifications/message' || this.#options.remap || this.#flights.size !== 1) return;
    for (const flight of this.#flights.values()) flight.reply.notify(toOneLine(line));
  }

  #progress(line: Buffer): void {
    const span = sliceMember(line, ['params', 'progressToken']);
    if (span === null) return;
    const token: unknown = JSON.parse(line.toString('utf8', span.start, span.end));
    if (typeof token !== 'string' && typeof token !== 'number') return;
    const flight = this.#byToken.get(keyOf(token));
    if (flight === undefined || flight.tokenText === null) return;
    flight.reply.notify(this.#options.remap ? splice(line, [{ ...span, replacement: flight.tokenText }]) : line);
  }
}

/** The line as the server gets it: the caller's own bytes where nothing has to differ. `id`: in place of id and progress token. */
function edited({ bytes, message, traceparent = null }: Incoming, id: string | null): Buffer {
  const spans = id === null ? [] : [message.idSpan, message.progressToken === null ? null : message.progressTokenSpan];
  const edits = spans.filter((span) => span !== null).map((span) => ({ ...span, replacement: id ?? '' }));
  if (traceparent !== null && message.traceparentSpan !== null)
    edits.push({ ...message.traceparentSpan, replacement: JSON.stringify(traceparent) });
  if (edits.length === 0) return bytes;
  return splice(
    bytes,
    edits.sort((a, b) => a.start - b.start),
  );
}

function textAt(bytes: Buffer, span: { start: number; end: number } | null): Buffer | null {
  return span === null ? null : Buffer.from(bytes.subarray(span.start, span.end));
}
