import { isIPv4 } from 'node:net';

/** One address inside the sandbox at which a target is offered. */
export type Offer = { readonly address: string; readonly port: number; readonly target: string };

/** How a sandbox's own network is arranged so that a server finds its targets where it would look for them anyway. */
export type EgressPlan = {
  readonly offers: readonly Offer[];
  /** To be put on the loopback interface: targets that the server knows by address. */
  readonly addresses: readonly string[];
  /** `/etc/hosts`: targets that it knows by name. */
  readonly hosts: string;
};

const LOCAL = '127.0.0.1 localhost\n::1 localhost\n';

/** Each name gets a loopback address of its own, so that two names may use one port. */
export function planEgress(targets: readonly string[]): EgressPlan {
  const byHost = new Map<string, string>([['localhost', '127.0.0.1']]);
  const addresses: string[] = [];
  let hosts = LOCAL;
  const offers = targets.map((target) => {
    const [host = '', port = ''] = target.split(':');
    const known = byHost.get(host);
    const address = known ?? (isIPv4(host) ? host : `127.1.0.${byHost.size}`);
    if (known === undefined && isIPv4(host) && !host.startsWith('127.')) addresses.push(host);
    if (known === undefined && !isIPv4(host)) hosts += `${address} ${host}\n`;
    byHost.set(host, address);
    return { address, port: Number(port), target };
  });
  return { offers, addresses, hosts };
}
