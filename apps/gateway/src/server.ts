import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import { refusal } from '@patchbay/errors';
import { type CertificateLog, createListeningServer, isPrivateEnough, type PublicListener } from '@patchbay/listening';
import { isDraining } from '@patchbay/telemetry';
import { CallContext } from './pipeline/context.ts';
import type { Preflight } from './pipeline/cross-origin.ts';
import { refuse } from './pipeline/refuse.ts';
import type { Transports } from './transports/transports.ts';

/** Longest request head in bytes: sealed session ids and base64 `Mcp-Name` values included (protocol.md trap 32). */
const HEADER_BYTES_MAX = 16_384;

export type GatewayServerDeps = { readonly listener: PublicListener; readonly log: CertificateLog; readonly preflight: Preflight };

/** The data plane's listener: connection limits and timeouts here, everything about a call in the pipeline. */
export function createGatewayServer(run: (ctx: CallContext) => Promise<void>, transports: Transports, deps: GatewayServerDeps): Server {
  const { listener, preflight } = deps;
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (isDraining(server)) response.setHeader('connection', 'close');
    const early = isPrivateEnough(listener, request) ? preflight(request, response) : refusal('http.tls_required');
    if (early === 'answered') return;
    if (early !== 'other') {
      refuse(new CallContext(request, response, performance.now()), early);
      return;
    }
    if (transports.handle(request, response)) return;
    void run(new CallContext(request, response, performance.now()));
  };
  const server: Server = createListeningServer(
    deps,
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: 15_000,
      requestTimeout: 60_000,
      // Node looks at the two timeouts above only this often.
      connectionsCheckingInterval: 5_000,
      keepAliveTimeout: 65_000,
      noDelay: true,
    },
    handle,
  );
  // A client that waits for "100 Continue" is told to go on only by the read step, once it is known who asks.
  server.on('checkContinue', handle);
  server.on('upgrade', (request, socket, head) => {
    if (isPrivateEnough(listener, request)) transports.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  });
  return server;
}
