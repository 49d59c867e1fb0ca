import type { AddressPolicy } from '@patchbay/egress';
import type { OpenCarrier } from '../process/carrier.ts';
import type { Dialled } from './dialled.ts';
import { EventStreamCarrier } from './event-stream-carrier.ts';
import { WebSocketCarrier } from './web-socket-carrier.ts';

/** How to connect to a server of a transport that lives on one connection. Every address is checked when it is dialled (security.md §7). */
export function prepareDial(dialled: Dialled, policy: AddressPolicy): OpenCarrier {
  const dialer = { policy: () => policy, connectTimeoutMs: dialled.connectMs };
  return (events) =>
    dialled.transport === 'sse' ? new EventStreamCarrier(dialled, dialer, events) : new WebSocketCarrier(dialled, dialer, events);
}
