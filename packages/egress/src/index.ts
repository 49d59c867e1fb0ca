export { checkAddress, parseAddress, PRIVATE_RANGES, type AddressPolicy } from './address-policy.ts';
export { BodyTooLarge, readAll } from './bounded-body.ts';
export { createDialer, EgressRefused, type DialerOptions, type Resolve, type ResolvedAddress } from './dialer.ts';
export type { Answer, Bounds, RequestInit } from './exchange.ts';
export { egressFetch, RedirectRefused, type FetchOptions } from './fetch.ts';
export { createInternalFetch, createInternalPool, type InternalFetch, type InternalPoolOptions } from './internal.ts';
export { createInternalFleet, type InternalFleet, type InternalFleetOptions, type MemberReply } from './internal-fleet.ts';
export { rendezvousOrder } from './rendezvous.ts';
export { createUpstreamPool, type UpstreamPoolOptions } from './upstream-pool.ts';
