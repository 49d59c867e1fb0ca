import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type ServerProcesses, STDIO_HOST } from '@patchbay/contracts';
import { LIMITS, type Transport } from '@patchbay/discovery';
import { egressFetch } from '@patchbay/egress';
import { Config } from '../../config/config.ts';
import { Lookups, type Server, type ServerSecret } from '../../prisma/index.ts';
import { openingsFor } from '../snapshot/index.ts';
import { ServerSecrets } from '../vault/index.ts';
import { serverProcesses } from './server-processes.ts';
import { StdioHosts } from './stdio-hosts.ts';

/** Ways to registered servers: over egress with their own header values, or to our stdio hosts, which start or connect to the others. */
@Injectable()
export class Transports implements OnApplicationShutdown {
  readonly #stdioHosts: StdioHosts;

  constructor(
    private readonly config: Config,
    private readonly lookups: Lookups,
    private readonly vault: ServerSecrets,
  ) {
    this.#stdioHosts = new StdioHosts(config.stdioHostUrls, config.toStdioHostSecret, config.internalCa);
  }

  async to(server: Server, secrets: readonly ServerSecret[]): Promise<Transport> {
    if (server.kind !== 'streamable-http') return this.#toStdioHost(server);
    const openings = openingsFor((await this.lookups.positions()).length, this.config.egressAllow);
    const policy = { refused: this.config.refusedAddresses, openings };
    const credential = this.vault.reveal(server, secrets, 'header');
    return ({ method, headers, body, signal, timeoutMs }) =>
      egressFetch(
        server.url ?? '',
        // Ours last: a registered header must not change what protocol we speak.
        { method, headers: { ...lowerCased(credential), ...headers }, ...(body === undefined ? {} : { body }), ...(signal && { signal }) },
        { policy: () => policy, timeoutMs, connectTimeoutMs: Math.min(server.connectMs, timeoutMs), maxBytes: LIMITS.answerBytes },
      );
  }

  /** Asks the hosts what they run of a stdio server. */
  async processesOf(server: Server): Promise<ServerProcesses> {
    return serverProcesses(server, await this.#stdioHosts.statusesOf(server));
  }

  /** What each host tells of changed lists. */
  listChanges(): ReturnType<StdioHosts['listChanges']> {
    return this.#stdioHosts.listChanges();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#stdioHosts.close();
  }

  async #toStdioHost(server: Server): Promise<Transport> {
    const { organisationId, id, generation } = server;
    const host = await this.#stdioHosts.hostFor(server);
    return ({ method, headers, body, signal, timeoutMs }) =>
      (method === 'GET' ? host.streams : host.internal).request(
        STDIO_HOST.path(organisationId, id),
        {
          method,
          headers: { ...headers, [STDIO_HOST.generationHeader]: generation, [STDIO_HOST.discoveryHeader]: '1' },
          ...(body === undefined ? {} : { body }),
          ...(signal && { signal }),
        },
        { timeoutMs },
      );
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
