import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { isIP } from 'node:net';
import { equalSecrets } from '@patchbay/tokens';
import { hostnameOf, plainAddress } from './addresses.ts';
import type { CertificateLog } from './certificate.ts';
import type { Listener, PrivateListener, PublicListener } from './settings.ts';
import type { Received } from './trusted-proxies.ts';

export type ServerDeps = { readonly listener: Listener; readonly log: CertificateLog };

/** An HTTP server that presents the listener's certificate, where it has one. */
export function createListeningServer(
  { listener: { certificate }, log }: ServerDeps,
  options: ServerOptions,
  handle: RequestListener,
): Server {
  if (certificate === null) return createServer(options, handle);
  const server = createTlsServer({ ...options, ...certificate.tlsOptions }, handle);
  certificate.presentOn(server, log);
  return server;
}

/** Whether a `Host` names a listener; `localAddress`: where its connection came in. */
export type HostCheck = (host: string | undefined, localAddress?: string) => boolean;

/**
 * The protection against DNS rebinding: a listener answers to the names that it is `known` by and, off loopback, to those of its certificate and to
 * the address that was dialled, none of which somebody else's name can be.
 */
export function makeHostCheck({ certificate, isLoopback }: Listener, known: (host: string) => boolean): HostCheck {
  return (host, localAddress) => {
    if (host === undefined) return false;
    const name = host.toLowerCase();
    if (known(name) || isLoopback) return known(name);
    const hostname = hostnameOf(name);
    return certificate?.covers(hostname) === true || (isIP(hostname) !== 0 && hostname === plainAddress(localAddress ?? ''));
  };
}

/** Whether a request may be answered at all: off loopback only what its client sent over TLS. */
export function isPrivateEnough({ isLoopback, proxies }: PublicListener, request: Received): boolean {
  return isLoopback || proxies.isSecure(request);
}

/** Whether `/metrics` is for who sent this. */
export function mayReadMetrics({ metricsToken }: PrivateListener, { headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return metricsToken === null || equalSecrets(headers.authorization ?? '', `Bearer ${metricsToken.reveal()}`);
}
