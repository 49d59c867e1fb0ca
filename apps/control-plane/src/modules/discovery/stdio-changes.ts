import type { OrganisationId, ServerId, StdioListChange } from '@patchbay/contracts';
import type { Discovery } from '../../ops/meters.ts';
import { Relister } from './relister.ts';

export type StdioChangesDeps = {
  readonly relist: (organisationId: OrganisationId, serverId: ServerId) => Promise<Discovery>;
  readonly isOurs: (serverId: string) => boolean;
  readonly nowMs?: () => number;
};

type Server = {
  readonly organisationId: OrganisationId;
  /** When it was told and nobody looked yet; null: somebody did. */
  toldAtMs: number | null;
  relister: Relister | null;
};

/** Each look starts a process, and many servers tell of every session's beginning. */
const PACE = { leastMs: 1_000, mostMs: 60_000 };
/** Whoever held the server's shard has looked by then, or is gone and its shard somebody's. */
const OTHERS_MS = 30_000;
const SERVERS_MAX = 10_000;

/**
 * Has the lists of stdio servers read again that told of a change, where they are this control plane's. What is another's is remembered for a
 * while: should that one die before it looks, whoever takes over its shard does.
 */
export class StdioChanges {
  readonly #deps: StdioChangesDeps;
  readonly #servers = new Map<ServerId, Server>();

  constructor(deps: StdioChangesDeps) {
    this.#deps = deps;
  }

  changed({ organisationId, serverId }: StdioListChange): void {
    const known = this.#servers.get(serverId);
    if (known === undefined && this.#servers.size >= SERVERS_MAX) return;
    const server = known ?? { organisationId, toldAtMs: null, relister: null };
    this.#servers.set(serverId, server);
    server.toldAtMs ??= this.#nowMs();
    this.#look(serverId, server);
  }

  /** To be called when shards have come or gone, and every few seconds. */
  lookAgain(): void {
    for (const [serverId, server] of this.#servers) {
      this.#look(serverId, server);
      const waits = server.toldAtMs !== null && this.#nowMs() - server.toldAtMs < OTHERS_MS;
      if (!waits && (server.relister?.isIdle ?? true)) this.#servers.delete(serverId);
    }
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map(async ({ relister }) => relister?.stop()));
  }

  #look(serverId: ServerId, server: Server): void {
    const { isOurs, relist } = this.#deps;
    if (server.toldAtMs === null || !isOurs(serverId)) return;
    server.toldAtMs = null;
    server.relister ??= new Relister({ relist: () => relist(server.organisationId, serverId), pace: PACE });
    server.relister.changed();
  }

  #nowMs(): number {
    return this.#deps.nowMs?.() ?? performance.now();
  }
}
