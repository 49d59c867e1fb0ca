import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { innerAddresses } from './inner-addresses.ts';

/** What may be reached. Read anew for each connection, so that a change of configuration counts at once. */
export type AddressPolicy = {
  /** Our own listeners and stores. `host`: an address, `localhost`, or a name (resolved by the dialer). */
  readonly refused: readonly { readonly host: string; readonly port: number }[];
  /** Private destinations an operator opened; port null: every port. What is always refused stays refused. */
  readonly openings: readonly { readonly cidr: string; readonly port: number | null }[];
};

/** The private ranges of both families, for an installation whose operator opens all of them. */
export const PRIVATE_RANGES = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
] as const;

/** Nobody may open these: this network, link-local with its metadata service, multicast, broadcast. */
const NEVER = cidrs([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '100.100.100.200/32',
  '::/128',
  'fe80::/10',
  'ff00::/8',
  'fd00:ec2::254/128',
]);

/** Not the public internet: only where an opening matches. */
const CLOSED = cidrs([
  ...PRIVATE_RANGES,
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '240.0.0.0/4',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '3fff::/20',
]);
/** All of IPv6 that was ever given out to the public; the rest is closed. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/**
 * Whether a connection to this resolved address may be made. An address that carries another (mapped, NAT64, 6to4, Teredo) is
 * judged as the one inside; text that is not an address is refused.
 */
export function checkAddress(ip: string, port: number, policy: AddressPolicy): 'ok' | 'refused' {
  const outer = parseAddress(ip);
  if (outer === null) return 'refused';
  return innerAddresses(outer).every((address) => isAllowed(address, port, policy)) ? 'ok' : 'refused';
}

/** Whether the text is a literal address (IPv6 with or without brackets), and which. */
export function parseAddress(text: string): Address | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  // Canonical dotted decimals only: other spellings of IPv4 mean different addresses to different readers.
  const known = ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare);
  return known ? ipaddr.parse(bare) : null;
}

function isAllowed(address: Address, port: number, policy: AddressPolicy): boolean {
  if (NEVER.some((range) => within(address, range)) || isOurs(address, port, policy)) return false;
  if (!isClosed(address)) return true;
  return policy.openings.some(({ cidr, port: opened }) => (opened === null || opened === port) && withinText(address, cidr));
}

function isClosed(address: Address): boolean {
  if (address.kind() === 'ipv6' && !within(address, GLOBAL_IPV6)) return true;
  return CLOSED.some((range) => within(address, range));
}

function isOurs(address: Address, port: number, policy: AddressPolicy): boolean {
  return policy.refused.some((refused) => {
    if (refused.port !== port) return false;
    if (refused.host === 'localhost') return isThisMachine(address);
    const parsed = parseAddress(refused.host);
    if (parsed === null) return false;
    return innerAddresses(parsed).some((own) => same(own, address) || (isThisMachine(own) && isThisMachine(address)));
  });
}

/** Loopback, unspecified, or an address of one of this machine's interfaces: all reach the same listeners. */
function isThisMachine(address: Address): boolean {
  const range = address.range();
  if (range === 'loopback' || range === 'unspecified') return true;
  return Object.values(networkInterfaces()).some((infos) =>
    (infos ?? []).some((info) => {
      const own = parseAddress(info.address);
      return own !== null && same(own, address);
    }),
  );
}

function same(left: Address, right: Address): boolean {
  return left.kind() === right.kind() && left.toNormalizedString() === right.toNormalizedString();
}

function withinText(address: Address, cidr: string): boolean {
  // An opening that cannot be read opens nothing.
  return ipaddr.isValidCIDR(cidr) && within(address, ipaddr.parseCIDR(cidr));
}

function within(address: Address, range: Range): boolean {
  return address.kind() === range[0].kind() && address.match(range);
}

function cidrs(texts: readonly string[]): Range[] {
  return texts.map((text) => ipaddr.parseCIDR(text));
}
