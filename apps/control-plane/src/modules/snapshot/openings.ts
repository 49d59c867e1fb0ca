import type { EgressOpening } from '@patchbay/contracts';
import { PRIVATE_RANGES } from '@patchbay/egress';

/** Loopback and private ranges, open while one organisation has the machine to itself (security.md §7). */
const OWN_NETWORK: readonly EgressOpening[] = PRIVATE_RANGES.map((cidr) => ({ cidr, port: null }));

/** What every organisation may reach outside the public internet. The list of refused addresses stays closed whatever this says. */
export function openingsFor(organisations: number, operatorAllows: readonly EgressOpening[]): EgressOpening[] {
  return organisations <= 1 ? [...OWN_NETWORK, ...operatorAllows] : [...operatorAllows];
}
