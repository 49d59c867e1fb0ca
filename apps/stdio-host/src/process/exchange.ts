import type { Isolation } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { scanMessage, sliceMember, splice, type ScannedMessage } from '@patchbay/mcp-wire';
import { type Flight, Flights } from './flights.ts';
import { type Member, takes } from './member.ts';
import type { OutputTail } from './output-tail.ts';
import type { Reply } from './reply.ts';
import { errorText, keyOf, resultText, toOneLine } from './rpc-text.ts';
import { ServerRequests } from './server-requests.ts';
import { Subscriptions } from './subscriptions.ts';

/** One message as it came over HTTP, scanned; `bytes` are one line. `traceparent` is written over the one that it brings, if any. */
export type Incoming = { readonly bytes: Buffer; readonly message: ScannedMessage; readonly traceparent?: string | null };

export type ExchangeOptions = {
  readonly isolation: Isolation;
  readonly title: string;
  readonly send: (line: Buffer | string) => boolean;
  readonly tail: OutputTail;
  /** The server says that a list of its changed. */
  readonly onListChanged: () => void;
};

/** A server is trusted less than a caller in what it may cost, but its lists are legitimately large. */
const SCAN_LIMITS = { depthMax: 256, elementsMax: 5_000_000 };
/** Where a process was told once by the host, or knows the request by another id. */
const OF_ONE_CLIENT: ReadonlySet<string> = new Set(['notifications/initialized', 'notifications/cancelled']);

/** Which message belongs to whom, on one process. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #flights = new Flights();
  readonly #asked = new ServerRequests();
  readonly #members = new Map<string, Member>();
  readonly #subscriptions = new Subscriptions();
  /** Where several sessions talk to one process, ids and progress tokens become our own, so that no session meets another's answer. */
  readonly #remap: boolean;
  #lastId = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#remap = options.isolation !== 'session';
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  inFlightOf(sessionId: string): number {
    return this.#flights.list(sessionId).length;
  }

  /** From now on the session hears what belongs to no request. */
  join(member: Member): void {
    this.#members.set(member.id, member);
  }

  /** What is in flight of it gets `refused`, and what the server asked it an error. */
  leave(sessionId: string, refused: Refusal): void {
    this.#members.delete(sessionId);
    for (const { idText } of this.#asked.removeOf(sessionId)) this.#decline(idText, 'The client has left.');
    this.failAll(refused, sessionId);
    for (const uri of this.#subscriptions.removeAll(sessionId)) {
      // Under an id that is in no flight: its answer is dropped.
      const unsubscribe = { jsonrpc: '2.0', id: (this.#lastId += 1), method: 'resources/unsubscribe', params: { uri } };
      this.#options.send(JSON.stringify(unsubscribe));
    }
  }

  /** Sends a request on. Null with a refusal passed to `reply` when it cannot be sent. */
  request(sessionId: string, incoming: Incoming, reply: Reply): Flight | null {
    const flight = this.#flight(sessionId, incoming, reply);
    if (this.#isStillWanted(sessionId, incoming.message)) {
      reply.finish(resultText(flight.idText, '{}'));
      return null;
    }
    if (this.#flights.byKey(flight.key) !== undefined) {
      reply.fail(refusal('rpc.invalid', 'A request with this id is still being answered in this session.'));
      return null;
    }
    this.#flights.add(flight);
    if (this.#options.send(edited(incoming, this.#remap ? flight.key.slice(1) : null))) return flight;
    this.release(flight);
    reply.fail(refusal('upstream.unreachable', `${this.#options.title} is not taking messages.`));
    return null;
  }

  /** Sends a notification on, unless it is of no concern to a process that others share. */
  notify(sessionId: string, { bytes, message }: Incoming): void {
    const { isolation, send } = this.#options;
    const isCancelled = message.method === 'notifications/cancelled' && message.requestId !== null;
    const cancelled = isCancelled ? this.#flights.ofCaller(sessionId, keyOf(message.requestId ?? 0)) : null;
    if (isolation === 'session' || (isolation === 'principal' && !OF_ONE_CLIENT.has(message.method))) send(bytes);
    else if (cancelled !== null && message.requestIdSpan !== null) {
      send(splice(bytes, [{ ...message.requestIdSpan, replacement: cancelled.key.slice(1) }]));
    }
    if (cancelled === null) return;
    // The server owes no answer any more, so the caller's HTTP request must not wait for one.
    this.release(cancelled);
    cancelled.reply.abandon();
  }

  /** Sends on what a client answers to a request of the server; a second answer, or one of somebody else, is dropped. */
  respond(sessionId: string, { bytes, message }: Incoming): void {
    if (message.id !== null && this.#asked.answered(sessionId, message.id)) this.#options.send(bytes);
  }

  /** Takes one line of the server's. */
  receive(line: Buffer): void {
    const scanned = scanMessage(line, SCAN_LIMITS);
    if (!scanned.ok) return this.#broken(line, scanned.id === null ? null : keyOf(scanned.id));
    const { message } = scanned;
    switch (message.kind) {
      case 'response':
        return this.#answer(line, message);
      case 'request':
        return this.#ask(line, message);
      case 'notification':
        return this.#tell(line, message);
    }
  }

  /** Forgets a request; a late answer to it is dropped. */
  release(flight: Flight): void {
    this.#flights.release(flight);
  }

  /** Answers everything still open of one session, or of all. */
  failAll(refused: Refusal, sessionId: string | null = null): void {
    for (const flight of this.#flights.list(sessionId)) {
      this.release(flight);
      flight.reply.fail(refused);
    }
  }

  /** Cancels what nobody has listened for since then: nobody comes back for it. */
  giveUpUnread(sinceMs: number): void {
    for (const flight of this.#flights.list()) {
      if ((flight.reply.unreadSinceMs ?? Infinity) > sinceMs) continue;
      const id = flight.key.startsWith('n') ? flight.key.slice(1) : JSON.stringify(flight.key.slice(1));
      this.#options.send(
        `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id},"reason":"Nobody waits for it."}}`,
      );
      this.release(flight);
      flight.reply.abandon();
    }
  }

  /** Where one principal's sessions share a process: whether it would stop updates that another of them waits for. */
  #isStillWanted(sessionId: string, { method, uri }: ScannedMessage): boolean {
    if (this.#options.isolation !== 'principal' || uri === null) return false;
    if (method === 'resources/subscribe') this.#subscriptions.add(sessionId, uri);
    return method === 'resources/unsubscribe' && this.#subscriptions.remove(sessionId, uri);
  }

  #flight(sessionId: string, { bytes, message }: Incoming, reply: Reply): Flight {
    const ownKey = `n${(this.#lastId += 1)}`;
    const callersKey = message.id === null ? ownKey : keyOf(message.id);
    const tokenKey = message.progressToken === null ? null : keyOf(message.progressToken);
    return {
      sessionId,
      callersKey,
      reply,
      key: this.#remap ? ownKey : callersKey,
      tokenKey: this.#remap && tokenKey !== null ? ownKey : tokenKey,
      idText: textAt(bytes, message.idSpan) ?? Buffer.from('null'),
      tokenText: textAt(bytes, message.progressTokenSpan),
    };
  }

  #answer(line: Buffer, message: ScannedMessage): void {
    const flight = message.id === null ? undefined : this.#flights.byKey(keyOf(message.id));
    if (flight === undefined || message.idSpan === null) return;
    this.release(flight);
    flight.reply.finish(this.#remap ? splice(line, [{ ...message.idSpan, replacement: flight.idText }]) : line);
  }

  /** Not a JSON-RPC message: kept for people to read, and an answer if it can be told whose it was. */
  #broken(line: Buffer, key: string | null): void {
    this.#options.tail.pushStray(line);
    const flight = key === null ? undefined : this.#flights.byKey(key);
    if (flight === undefined) return;
    this.release(flight);
    flight.reply.fail(refusal('upstream.broken', `It came from ${this.#options.title}.`));
  }

  /** A request of the server: put to the client whose request it most likely serves, since over stdio it names none. */
  #ask(line: Buffer, { id, idSpan, method }: ScannedMessage): void {
    if (id === null || idSpan === null) return;
    const idText = line.toString('utf8', idSpan.start, idSpan.end);
    if (method === 'ping') this.#options.send(resultText(idText, '{}'));
    else {
      const whom = this.#whomToAsk(method);
      if (whom === null) this.#decline(idText, 'The client of this server does not take such requests.');
      else if (this.#asked.add(id, { ...whom, idText })) whom.pass(toOneLine(line), 'lasting');
      else this.#decline(idText, 'Too many requests wait for an answer.');
    }
  }

  /** The youngest request in flight of a client that takes it; else any such client. What all share is asked by none. */
  #whomToAsk(method: string): (Pick<Member, 'pass'> & { readonly sessionId: string }) | null {
    if (this.#options.isolation === 'shared') return null;
    for (const { reply, sessionId } of this.#flights.list().toReversed()) {
      const member = this.#members.get(sessionId);
      if (member !== undefined && takes(member, method)) return { sessionId, pass: (message, kind) => reply.pass(message, kind) };
    }
    for (const member of this.#members.values()) if (takes(member, method)) return { sessionId: member.id, pass: member.pass };
    return null;
  }

  #decline(idText: string, why: string): void {
    this.#options.send(errorText(idText, refusal('rpc.method_unknown', why)));
  }

  #tell(line: Buffer, message: ScannedMessage): void {
    const { method, requestId } = message;
    if (method === 'notifications/progress') return this.#progress(line);
    if (method === 'notifications/cancelled') {
      if (requestId !== null) this.#asked.withdraw(requestId)?.pass(toOneLine(line), 'passing');
      return;
    }
    if (method.endsWith('/list_changed')) this.#options.onListChanged();
    // Of a process that different people share, only what is true for all of them leaves it.
    else if (this.#options.isolation === 'shared') return;
    const [flight, ...others] = method === 'notifications/message' ? this.#flights.list() : [];
    // A log message names no request: it belongs to the one that is alone.
    if (flight !== undefined && others.length === 0) return flight.reply.pass(toOneLine(line), 'passing');
    for (const { pass } of this.#members.values()) pass(toOneLine(line), 'passing');
  }

  #progress(line: Buffer): void {
    const span = sliceMember(line, ['params', 'progressToken']);
    if (span === null) return;
    const token: unknown = JSON.parse(line.toString('utf8', span.start, span.end));
    if (typeof token !== 'string' && typeof token !== 'number') return;
    const flight = this.#flights.byToken(keyOf(token));
    if (flight === undefined || flight.tokenText === null) return;
    flight.reply.pass(this.#remap ? splice(line, [{ ...span, replacement: flight.tokenText }]) : line, 'passing');
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
