import { STDIO_HOST, StdioHostStatus } from '@patchbay/contracts';
import { LIMITS } from '@patchbay/discovery';
import { createInternalFetch, type InternalFetch, readAll, rendezvousOrder } from '@patchbay/egress';
import type { Secret } from '@patchbay/vault';
import type { StdioHostListenerDeps } from './stdio-host-listener.ts';

/** What of a registered stdio server decides where it runs. */
export type PlacedServer = {
  readonly organisationId: string;
  readonly id: string;
  readonly generation: string;
  readonly isolation: string;
};

/** `streams`: connections of their own, because streams last and would keep questions waiting. */
type Host = { readonly name: string; readonly internal: InternalFetch; readonly streams: InternalFetch };

const STATUS_WITHIN_MS = 2_000;
const STREAMS_MAX = 1_000;
/** Then it is opened again, from where it stood. */
const STREAM_MS_MAX = 15 * 60_000;

/** The stdio hosts of the installation, as discovery reaches them. */
export class StdioHosts {
  readonly #hosts: readonly Host[];

  constructor(urls: readonly URL[], bearer: Secret, ca: string | null) {
    const limits = { bearer, ca, timeoutMs: LIMITS.totalMs, maxBytes: LIMITS.answerBytes };
    this.#hosts = urls.map((baseUrl) => ({
      name: baseUrl.href,
      internal: createInternalFetch({ ...limits, baseUrl, connections: 8 }),
      streams: createInternalFetch({ ...limits, baseUrl, connections: STREAMS_MAX }),
    }));
  }

  /** For each host a way to open its stream of changed lists, from behind an event on. */
  listChanges(): StdioHostListenerDeps['open'][] {
    return this.#hosts.map(({ streams }) => (lastEventId, signal) => {
      const headers = { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) };
      return streams.request(STDIO_HOST.listChangesPath, { headers, signal }, { timeoutMs: STREAM_MS_MAX });
    });
  }

  /**
   * The host to discover a server on. Of several: the one that runs a shared server already, else the first that answers, in the
   * order in which gateways choose. They alone hold the records of where a server is, so what runs is asked of the hosts.
   */
  async hostFor(server: PlacedServer): Promise<Pick<Host, 'internal' | 'streams'>> {
    const key = STDIO_HOST.placementKey(server.organisationId, server.id);
    const order = rendezvousOrder(key, this.#hosts, ({ name }) => name);
    const [first] = order;
    if (first === undefined) throw new TypeError('there is no stdio host');
    if (order.length === 1) return first;
    const asked = await Promise.all(order.map(async (host) => ({ host, status: await statusOf(host, server) })));
    const running = asked.find(({ status }) => server.isolation === 'shared' && status?.processes.some((process) => runs(process, server)));
    return (running ?? asked.find(({ status }) => status !== null))?.host ?? first;
  }

  /** What each host runs of it; null for one that does not answer. */
  async statusesOf(server: PlacedServer): Promise<(StdioHostStatus | null)[]> {
    return Promise.all(this.#hosts.map((host) => statusOf(host, server)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#hosts.flatMap(({ internal, streams }) => [internal.close(), streams.close()]));
  }
}

/** null: it does not answer. */
async function statusOf({ internal }: Host, { id }: PlacedServer): Promise<StdioHostStatus | null> {
  try {
    const answer = await internal.request(`${STDIO_HOST.statusPath}?server=${id}`, {}, { timeoutMs: STATUS_WITHIN_MS });
    const text = (await readAll(answer.body)).toString('utf8');
    return answer.status === 200 ? StdioHostStatus.parse(JSON.parse(text)) : null;
  } catch {
    return null;
  }
}

function runs({ generation, organisationId, state }: StdioHostStatus['processes'][number], server: PlacedServer): boolean {
  return organisationId === server.organisationId && generation === server.generation && state !== 'stopping';
}
