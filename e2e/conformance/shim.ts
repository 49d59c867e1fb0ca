import { request as dial, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, type Listening } from '@patchbay/testkit';

export type ShimTarget = {
  /** Of the gateways: each request goes to any of them, on a connection of its own. */
  readonly ports: readonly number[];
  token(): string;
};

/** `sent`: how many requests each port was sent. */
export type Shim = Listening & { readonly sent: ReadonlyMap<number, number> };

/**
 * Stands in front of the gateways because the suite cannot send a token: adds it, and passes everything else on as it came, to a gateway
 * chosen at random. Where a client names the shim, in Host or Origin, that gateway is named instead; any other name is left for it to refuse.
 */
export async function startShim({ ports, token }: ShimTarget): Promise<Shim> {
  const sent = new Map<number, number>(ports.map((port) => [port, 0]));
  const listening = await listen((incoming, response) => {
    const port = ports[Math.floor(Math.random() * ports.length)]!;
    sent.set(port, (sent.get(port) ?? 0) + 1);
    pass(incoming, response, { port, token: token() });
  });
  return { ...listening, sent };
}

function pass(incoming: IncomingMessage, response: ServerResponse, { port, token }: { port: number; token: string }): void {
  const own = `127.0.0.1:${incoming.socket.localPort}`;
  const renamed = incoming.rawHeaders.map((text, index) => {
    if (index % 2 === 0) return text;
    if (text === own) return `127.0.0.1:${port}`;
    return text === `http://${own}` ? `http://127.0.0.1:${port}` : text;
  });
  const outgoing = dial({
    host: '127.0.0.1',
    port,
    method: incoming.method,
    path: incoming.url,
    headers: [...renamed, 'authorization', `Bearer ${token}`],
    setHost: false,
    agent: false,
  });
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    response.flushHeaders();
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  // Who goes away on one side goes away on the other: to a modern server that is how a call is cancelled.
  response.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}
