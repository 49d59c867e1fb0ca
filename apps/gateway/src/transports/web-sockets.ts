import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from 'node:http';
import type { OrganisationId } from '@patchbay/contracts';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { type Admission, admit, passOn, passWelcome } from './admission.ts';
import { type Caller, withAuthorization } from './caller.ts';
import type { ConnectionBook } from './connection-book.ts';
import { openChannel, type OpenChannelDeps } from './open-channel.ts';
import { TICKET_LIFETIME_MS, type Tickets } from './tickets.ts';

export type WebSocketsDeps = OpenChannelDeps & {
  readonly tickets: Tickets;
  readonly book: ConnectionBook;
  readonly bodyLimitBytes: number;
};

type Known = { readonly caller: Caller; readonly organisationId: OrganisationId };
type Asked = { readonly socket: Duplex; readonly head: Buffer; readonly caller: Caller };

export type WebSockets = {
  /** Takes a connection that asked to become a WebSocket. Never rejects. */
  upgrade(request: IncomingMessage, asked: Asked): Promise<void>;
  /** Answers a request for a ticket. */
  giveTicket(response: ServerResponse, caller: Caller): Promise<void>;
};

/** Close codes of ours: the HTTP status that says the same, behind 4000. */
const UNAUTHORISED = 4401;
const GOING_AWAY = 1001;
const UNSUPPORTED_DATA = 1003;
const POLICY = 1008;
const TRY_AGAIN_LATER = 1013;

/** Shorter than the minute after which balancers cut what is silent. */
const BEAT_MS = 15_000;
const TICKET_WAIT_MS = 5_000;
/** Before we know who asks, little is held for few: this many connections, this much of each. */
const STRANGERS_MAX = 64;
const STRANGER_BYTES_MAX = 1024 * 1024;
/** What may lie unsent before the server is asked to wait. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Messages that were read and wait for those before them. */
const UNTAKEN_MAX = 64;

/** MCP over WebSocket, a message a frame: outside the specification, for revisions up to 2025-11-25. */
export function makeWebSockets({ bodyLimitBytes, book, tickets, ...deps }: WebSocketsDeps): WebSockets {
  const common = {
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (names: Set<string>) => (names.has('mcp') ? 'mcp' : false),
  } as const;
  const known = new WebSocketServer({ ...common, maxPayload: bodyLimitBytes });
  const unknown = new WebSocketServer({ ...common, maxPayload: Math.min(bodyLimitBytes, STRANGER_BYTES_MAX) });
  let strangers = 0;

  function serve(socket: WebSocket, { caller, organisationId }: Known): void {
    const close = (code: number) => (): void => socket.close(code);
    const channel = openChannel(deps, { caller, deliver: (message) => send(socket, message), onUnauthorised: close(UNAUTHORISED) });
    const connection = { settle: (ms: number) => channel.settle(ms), end: close(GOING_AWAY), cut: () => socket.terminate() };
    keepAlive(socket);
    const holdBack = makeHoldBack(socket);
    const leave = book.enter('ws', organisationId, connection);
    if (leave === null) {
      socket.close(TRY_AGAIN_LATER);
      return;
    }
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.close(UNSUPPORTED_DATA, 'One JSON-RPC message a text frame.');
      else holdBack(channel.take(asBuffer(data)));
    });
    socket.once('close', () => {
      leave();
      void channel.close(BEAT_MS);
    });
  }

  function awaitTicket(socket: WebSocket, caller: Caller): void {
    strangers += 1;
    const late = setTimeout(() => socket.close(POLICY, 'No ticket came.'), TICKET_WAIT_MS);
    const isOver = (): void => {
      clearTimeout(late);
      strangers -= 1;
    };
    socket.once('close', isOver);
    socket.on('error', () => undefined);
    socket.once('message', (data) => {
      // What came with it is handed on to whoever serves; the rest stays in the socket until then.
      socket.pause();
      const early: Parameters<typeof keepEarly>[] = [];
      const keepEarly = (frame: RawData, isBinary: boolean): void => void early.push([frame, isBinary]);
      socket.on('message', keepEarly);
      void redeem(asBuffer(data), caller).then((redeemed) => {
        if (socket.readyState === socket.CLOSED) return;
        socket.off('message', keepEarly);
        socket.off('close', isOver);
        isOver();
        if (redeemed === null) socket.close(UNAUTHORISED);
        else serve(socket, redeemed);
        for (const frame of early) socket.emit('message', ...frame);
        socket.resume();
      });
    });
  }

  async function redeem(frame: Buffer, caller: Caller): Promise<Known | null> {
    const ticket = ticketIn(frame);
    const authorization = ticket === null ? null : await tickets.redeem(ticket, caller.path).catch(() => null);
    if (authorization === null) return null;
    const known = withAuthorization(caller, authorization);
    const { principal } = await admit(deps.callInside, known);
    return principal === null ? null : { caller: known, organisationId: principal.organisationId };
  }

  return {
    async upgrade(request, { caller, head, socket }) {
      socket.on('error', () => socket.destroy());
      const admission = await admit(deps.callInside, caller);
      const { principal, status } = admission;
      // Without a token the pipeline gets as far as asking for one: Host, Origin and path are right then.
      const mayBringTicket = status === 401 && request.headers.authorization === undefined && request.headers.origin !== undefined;
      if (principal !== null)
        known.handleUpgrade(request, socket, head, (opened) => serve(opened, { caller, organisationId: principal.organisationId }));
      else if (!mayBringTicket) refuse(socket, admission);
      else if (strangers >= STRANGERS_MAX) refuse(socket, { status: 503, headers: {}, body: Buffer.alloc(0) });
      else unknown.handleUpgrade(request, socket, head, (opened) => awaitTicket(opened, caller));
    },
    async giveTicket(response, caller) {
      const admission = await admit(deps.callInside, caller);
      if (admission.principal === null) return passOn(response, admission);
      passWelcome(response, admission);
      const ticket = tickets.mint(admission.principal.organisationId, caller.path, authorizationOf(caller));
      const body = JSON.stringify({ ticket, expiresInMs: TICKET_LIFETIME_MS });
      response.writeHead(200, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'content-length': Buffer.byteLength(body),
      });
      response.end(body);
    },
  };
}

/** Resolves when more may come. */
function send(socket: WebSocket, message: Buffer): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  const sent = new Promise<void>((resolve) => socket.send(message, { binary: false }, () => resolve()));
  return socket.bufferedAmount > BUFFERED_BYTES_MAX ? sent : Promise.resolve();
}

/** Reads no further while too much of what was read has not been taken. */
function makeHoldBack(socket: WebSocket): (taken: Promise<void>) => void {
  let untaken = 0;
  return function holdBack(taken) {
    untaken += 1;
    if (untaken >= UNTAKEN_MAX) socket.pause();
    void taken.then(() => {
      untaken -= 1;
      if (untaken < UNTAKEN_MAX) socket.resume();
    });
  };
}

/** A connection whose other end is gone without a word is cut after two beats. */
function keepAlive(socket: WebSocket): void {
  let isAlive = true;
  const beat = setInterval(() => {
    // While nothing is read no answer is either.
    if (socket.isPaused) return;
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, BEAT_MS);
  beat.unref();
  socket.on('pong', () => void (isAlive = true));
  socket.once('close', () => clearInterval(beat));
  // What is wrong with a frame is said in the close code that follows.
  socket.on('error', () => undefined);
}

/** The pipeline's own refusal as HTTP: there is no response object for a connection that asked to become something else. */
function refuse(socket: Duplex, { body, headers, status }: Pick<Admission, 'body' | 'headers' | 'status'>): void {
  const all = { ...headers, 'content-length': String(body.length), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`), body]));
}

function authorizationOf({ rawHeaders }: Caller): string {
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization');
  return rawHeaders[at + 1] ?? '';
}

function ticketIn(frame: Buffer): string | null {
  try {
    const value: unknown = JSON.parse(frame.toString('utf8'));
    return typeof value === 'object' && value !== null && 'ticket' in value && typeof value.ticket === 'string' ? value.ticket : null;
  } catch {
    return null;
  }
}

function asBuffer(data: RawData): Buffer {
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);
}
