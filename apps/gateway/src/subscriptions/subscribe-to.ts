import type { Refusal } from '@patchbay/errors';
import type { ScannedMessage } from '@patchbay/mcp-wire';
import { lastingUpstream, type Upstream } from '../upstream/upstreams.ts';
import { subscribeLegacy } from './subscribe-legacy.ts';
import { subscribeModern } from './subscribe-modern.ts';

/** What of a filter of revision 2026-07-28 a server is asked for: never lists, of which clients hear from us. */
export type ServerFilter = { readonly resourceSubscriptions?: readonly string[]; readonly taskIds?: readonly string[] } & Readonly<
  Record<string, unknown>
>;

export type Subscribing = {
  readonly upstream: Upstream;
  /** A server with sessions knows of `resourceSubscriptions` alone. */
  readonly filter: ServerFilter;
  /** The client's, as JSON text: a server without sessions may ask for an extension to be declared. */
  readonly clientCapabilities: string;
  /** A notification of the subscription, in the server's own words; one may come before the promise is seen to be kept. */
  readonly notified: (bytes: Buffer, message: ScannedMessage) => void;
  /** It stood and is over, by the server's doing. */
  readonly ended: () => void;
};

/** `honoured`: what of the filter the server has acknowledged. `close` tells the server; nothing is notified after it. */
export type Subscription = { readonly honoured: ServerFilter; close(): void };

/** A subscription of one client at one server, in whichever era the server speaks. It stands when the promise is kept. */
export function subscribeTo(input: Subscribing): Promise<Subscription | Refusal> {
  const { server } = input.upstream;
  // A subscription lasts for hours, and the catalogue of when it was opened must not.
  const lasting = { ...input, upstream: lastingUpstream(input.upstream) };
  return server.catalogue?.era === 'modern' ? subscribeModern(lasting) : subscribeLegacy(lasting);
}
