import { request as dial, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, type Listening } from '@patchbay/testkit';

export type ShimTarget = { readonly port: number; token(): string };

/**
 * Stands in front of the gateway because the suite cannot send a token: adds it, and passes everything else on as it came. Where a client
 * names the shim, in Host or Origin, the gateway is named instead; any other name is left for the gateway to refuse.
 */
export async function startShim(target: ShimTarget): Promise<Listening> {
  return listen((incoming, response) => pass(incoming, response, target));
}

function pass(incoming: IncomingMessage, response: ServerResponse, { port, token }: ShimTarget): void {
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
    headers: [...renamed, 'authorization', `Bearer ${token()}`],
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
