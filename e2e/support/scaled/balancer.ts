import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

export type Backend = {
  readonly name: string;
  readonly port: number;
  /** Looked at all the time: while it answers 503, nothing new goes to this backend. Never when left away. */
  readonly readyUrl?: string;
};

/** One request on its way: which backend has it, and whether its answer came back whole. */
export type Passage = {
  readonly backend: string;
  /** What the client called itself with `chaos-call`; null: nothing. */
  readonly call: string | null;
  readonly sentAtMs: number;
};

export type Balancer = {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
};

export type BalancerOptions = {
  readonly port: number;
  readonly backends: readonly Backend[];
  /** Told before the first byte goes to a backend. */
  readonly onSent?: (passage: Passage) => void;
};

/** Headers of one connection alone. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'trailer']);

const LOOK_EVERY_MS = 200;

/**
 * A plain HTTP balancer, round robin over the backends that do not say they are not ready, a new connection to the backend for each
 * request. It goes on to the next backend only when no connection came about, so that nothing can have been sent; everything else is
 * the client's to see. Streams pass as they come.
 */
export async function startBalancer({ port, backends, onSent }: BalancerOptions): Promise<Balancer> {
  let turn = 0;
  const away = new Set<Backend>();
  const looking = setInterval(() => backends.forEach((backend) => void look(backend, away)), LOOK_EVERY_MS);
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const first = turn++;
    const inTurn = backends.map((_, k) => backends[(first + k) % backends.length]!).filter((backend) => !away.has(backend));
    for (const backend of inTurn) {
      const socket = await dial(backend.port);
      if (socket === null) continue;
      onSent?.({ backend: backend.name, call: headerOf(request, 'chaos-call'), sentAtMs: Date.now() });
      return forward(request, response, socket);
    }
    fail(response, 503);
  };
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 75_000, noDelay: true }, (request, response) => {
    void pass(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', 4_096, resolve);
  });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        clearInterval(looking);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One that says nothing keeps its turn: what it was sent is the client's to see. */
async function look(backend: Backend, away: Set<Backend>): Promise<void> {
  if (backend.readyUrl === undefined) return;
  const status = await fetch(backend.readyUrl, { signal: AbortSignal.timeout(1_000) }).then(
    (answer) => answer.arrayBuffer().then(() => answer.status),
    () => 0,
  );
  if (status === 503) away.add(backend);
  else away.delete(backend);
}

/** null: refused, or reset before it stood, so that nothing can have been sent. */
function dial(port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const onError = (): void => resolve(null);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

function forward(request: IncomingMessage, response: ServerResponse, socket: Socket): void {
  const headers = [...passing(request.rawHeaders), 'connection', 'close'];
  // A body of unknown length travels in chunks on this side as well.
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked');
  const sent = ask({ createConnection: () => socket, method: request.method, path: request.url, headers, setHost: false });
  sent.flushHeaders();
  request.pipe(sent);
  sent.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passing(answer.rawHeaders));
    response.flushHeaders();
    answer.pipe(response);
    answer.on('close', () => {
      if (!answer.complete) response.destroy();
    });
    answer.on('error', () => response.destroy());
  });
  sent.on('error', () => fail(response, 502));
  response.on('close', () => {
    if (!response.writableFinished) sent.destroy();
  });
}

function passing(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) if (!HOP_BY_HOP.has(raw[at]!.toLowerCase())) kept.push(raw[at]!, raw[at + 1]!);
  return kept;
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/** What the client gets when a backend is gone: a status while there is still one to give, else a broken connection. */
function fail(response: ServerResponse, status: number): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end('balancer\n');
}
