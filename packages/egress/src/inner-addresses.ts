import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Prefixes whose addresses are routed to an IPv4 address inside them, and where its four bytes stand (the mask flips them). */
const CARRIERS: readonly { readonly prefix: [ipaddr.IPv6, number]; readonly at: readonly number[]; readonly flip?: number }[] = [
  { prefix: prefix('::ffff:0:0/96'), at: [12, 13, 14, 15] },
  { prefix: prefix('::ffff:0:0:0/96'), at: [12, 13, 14, 15] },
  { prefix: prefix('64:ff9b::/96'), at: [12, 13, 14, 15] },
  { prefix: prefix('64:ff9b:1::/48'), at: [12, 13, 14, 15] },
  { prefix: prefix('2002::/16'), at: [2, 3, 4, 5] },
  // Teredo: the client's address, inverted, behind the server's.
  { prefix: prefix('2001::/32'), at: [12, 13, 14, 15], flip: 0xff },
  { prefix: prefix('2001::/32'), at: [4, 5, 6, 7] },
];
/** IPv4-compatible, obsolete; `::` and `::1` are addresses of their own. */
const COMPATIBLE = { prefix: prefix('::/96'), at: [12, 13, 14, 15] };

/** The IPv4 addresses that this one carries, or itself where it carries none. */
export function innerAddresses(address: Address): Address[] {
  if (!(address instanceof ipaddr.IPv6)) return [address];
  const bytes = address.toByteArray();
  const carried = CARRIERS.filter((carrier) => address.match(carrier.prefix)).map(({ at, flip = 0 }) => inner(bytes, at, flip));
  if (carried.length > 0) return carried;
  const isOwn = bytes.slice(0, 15).every((byte) => byte === 0) && (bytes[15] ?? 0) <= 1;
  return address.match(COMPATIBLE.prefix) && !isOwn ? [inner(bytes, COMPATIBLE.at, 0)] : [address];
}

function inner(bytes: readonly number[], at: readonly number[], flip: number): ipaddr.IPv4 {
  return new ipaddr.IPv4(at.map((index) => (bytes[index] ?? 0) ^ flip));
}

function prefix(cidr: string): [ipaddr.IPv6, number] {
  return ipaddr.IPv6.parseCIDR(cidr);
}
