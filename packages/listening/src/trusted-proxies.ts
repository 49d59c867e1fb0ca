import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';
import { isLoopback, plainAddress } from './addresses.ts';

/** What is looked at of a request; one that carries a message of a connection knows less of its socket. */
export type Received = { readonly headers: IncomingHttpHeaders; readonly socket: Pick<Socket, 'remoteAddress'> };

const CIDR = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/;

/**
 * The proxies in front of a listener. What they forward (`X-Forwarded-For`, `-Host`, `-Proto`) is what the client did; the same headers
 * from anybody else are not looked at.
 */
export class TrustedProxies {
  readonly isEmpty: boolean;
  readonly #ranges = new BlockList();

  /** `ranges`: CIDR, comma-separated. Throws an Error that says which item is none. */
  constructor(ranges: string) {
    const items = ranges
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    for (const item of items) {
      const [, address = '', bits = ''] = CIDR.exec(item) ?? [];
      const family = isIP(address);
      if (family === 0 || Number(bits) > (family === 4 ? 32 : 128))
        throw new Error(`must list CIDR ranges such as 10.0.0.0/8 or 192.0.2.7/32; ${item} is none`);
      if (Number(bits) === 0) throw new Error(`must not trust everybody, as ${item} does`);
      this.#ranges.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
    }
    this.isEmpty = items.length === 0;
  }

  /** Whose request it is: the last address on its way to us that is no proxy of ours. */
  clientAddress({ headers, socket }: Received): string {
    let address = plainAddress(socket.remoteAddress ?? '');
    if (!this.#trusts(address)) return address;
    for (const hop of lines(headers['x-forwarded-for']).reverse()) {
      const before = addressIn(hop);
      if (before === null) break;
      address = before;
      if (!this.#trusts(address)) break;
    }
    return address;
  }

  /** The `Host` that the client asked for. */
  host({ headers, socket }: Received): string | undefined {
    return this.#said({ headers, socket }, 'x-forwarded-host') ?? headers.host;
  }

  /** Whether the client's request came over TLS, or has never left this machine. */
  isSecure({ headers, socket }: Received): boolean {
    const scheme = this.#said({ headers, socket }, 'x-forwarded-proto');
    if (scheme !== undefined) return scheme.toLowerCase() === 'https';
    return ('encrypted' in socket && socket.encrypted === true) || isLoopback(socket.remoteAddress ?? '');
  }

  /** What the nearest proxy said last; undefined from anybody else. */
  #said({ headers, socket }: Received, name: string): string | undefined {
    if (this.isEmpty || headers[name] === undefined) return undefined;
    return this.#trusts(plainAddress(socket.remoteAddress ?? '')) ? lines(headers[name]).at(-1) : undefined;
  }

  #trusts(address: string): boolean {
    const family = this.isEmpty ? 0 : isIP(address);
    return family !== 0 && this.#ranges.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }
}

function lines(value: string | string[] | undefined): string[] {
  const all = typeof value === 'string' ? value : (value ?? []).join(',');
  return all
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** With or without a port; null: no address. */
function addressIn(hop: string): string | null {
  const plain = isIP(hop) === 0 ? (/^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(hop)?.slice(1).find(Boolean) ?? '') : hop;
  return isIP(plain) === 0 ? null : plainAddress(plain);
}
