import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { checkAddress, parseAddress, type AddressPolicy } from './address-policy.ts';

export type ResolvedAddress = { readonly address: string; readonly family: number };
/** Every address of a name. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** The destination may not be reached from here. Says no more: why not would map our network for a tenant. */
export class EgressRefused extends Error {
  readonly code = 'EGRESS_REFUSED';

  constructor() {
    super('This address may not be reached from here.');
    this.name = 'EgressRefused';
  }
}

export type DialerOptions = {
  readonly policy: () => AddressPolicy;
  /** Until the connection stands, name resolution and TLS included. */
  readonly connectTimeoutMs: number;
  readonly resolve?: Resolve;
  /** Certificate authorities (PEM) to trust in place of the default ones. */
  readonly ca?: string;
};

/**
 * An undici connector that resolves, checks every address of the answer and connects to one it checked, on each new
 * connection. Its errors are EgressRefused or those of the socket.
 */
export function createDialer({ policy, connectTimeoutMs, resolve = resolveBySystem, ca }: DialerOptions): buildConnector.connector {
  const byPort = new Map<number, buildConnector.connector>();
  const connectorFor = (port: number): buildConnector.connector => {
    const known = byPort.get(port);
    if (known !== undefined) return known;
    const lookup = checkedLookup(port, policy, resolve);
    const tls = ca === undefined ? {} : { ca };
    const fresh = buildConnector({
      ...tls,
      lookup,
      timeout: connectTimeoutMs,
      allowH2: false,
      rejectUnauthorized: true,
      autoSelectFamily: true,
    });
    byPort.set(port, fresh);
    return fresh;
  };
  return (options, callback) => {
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    // A socket does not look up a literal address, so it is checked here; its own names count as well.
    const literal = parseAddress(options.hostname);
    if (literal === null) return connectorFor(port)(options, callback);
    permit([literal.toString()], port, policy(), resolve).then(
      () => process.nextTick(() => connectorFor(port)(options, callback)),
      (error: unknown) => process.nextTick(() => callback(toError(error), null)),
    );
  };
}

function checkedLookup(port: number, policy: () => AddressPolicy, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    const resolved = async (): Promise<readonly ResolvedAddress[]> => {
      const addresses = await resolve(hostname);
      if (addresses.length === 0) throw new Error(`${hostname} has no address`);
      await permit(
        addresses.map(({ address }) => address),
        port,
        policy(),
        resolve,
      );
      return addresses;
    };
    resolved().then(
      (addresses) => {
        const first = addresses[0];
        // Outside the promise: a fault in the callback is not a rejection of ours.
        process.nextTick(() =>
          options.all === true ? callback(null, [...addresses]) : callback(null, first?.address ?? '', first?.family),
        );
      },
      (error: unknown) => process.nextTick(() => callback(toError(error), '')),
    );
  };
}

/** Throws EgressRefused unless every one of the addresses may be reached: an answer that mixes them is an attack or a mistake. */
async function permit(addresses: readonly string[], port: number, policy: AddressPolicy, resolve: Resolve): Promise<void> {
  const refused = await Promise.all(policy.refused.map((entry) => resolvedEntries(entry, port, resolve)));
  const resolvedPolicy = { refused: refused.flat(), openings: policy.openings };
  if (!addresses.every((address) => checkAddress(address, port, resolvedPolicy) === 'ok')) throw new EgressRefused();
}

async function resolvedEntries(entry: AddressPolicy['refused'][number], port: number, resolve: Resolve): Promise<AddressPolicy['refused']> {
  if (entry.port !== port || entry.host === 'localhost' || parseAddress(entry.host) !== null) return [entry];
  try {
    return (await resolve(entry.host)).map(({ address }) => ({ host: address, port }));
  } catch {
    // What is ours cannot be told apart from what was asked for.
    throw new EgressRefused();
  }
}

function resolveBySystem(hostname: string): Promise<readonly ResolvedAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true, verbatim: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
