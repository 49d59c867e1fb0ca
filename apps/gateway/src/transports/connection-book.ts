import { EventEmitter, once } from 'node:events';
import type { OrganisationId } from '@patchbay/contracts';
import type { Metrics } from '@patchbay/telemetry';

export type ConnectionTransport = 'sse' | 'ws';

/** A connection that stays open for as long as its client likes. */
export type OpenConnection = {
  /** Resolves when no request of it waits any more, or after so long. */
  settle(withinMs: number): Promise<void>;
  /** Tells the client that it has to connect anew. */
  end(): void;
  /** Without a word. */
  cut(): void;
};

/** Which connections this pod holds, so that it can let go of them. */
export type ConnectionBook = {
  /** Returns what takes it out again; null when its organisation has its share on this pod (security.md §15). */
  enter(transport: ConnectionTransport, organisationId: OrganisationId, connection: OpenConnection): (() => void) | null;
  /** Ends each as soon as nothing of it waits, and whatever happens within `withinMs`. New ones are ended at once. */
  drain(withinMs: number): Promise<void>;
};

const CONNECTIONS_PER_ORGANISATION_MAX = 2_000;
/** For a client that does not answer to the end of its connection. */
const GRACE_MS = 1_000;

export function makeConnectionBook(metrics: Pick<Metrics, 'read'>): ConnectionBook {
  const open = { sse: new Set<OpenConnection>(), ws: new Set<OpenConnection>() };
  const shares = new Map<OrganisationId, number>();
  const left = new EventEmitter();
  let isDraining = false;
  metrics.read(
    {
      type: 'gauge',
      name: 'patchbay_gateway_connections',
      help: 'Connections of clients that carry a whole session.',
      labels: ['transport'],
    },
    () => [
      [{ transport: 'sse' }, open.sse.size],
      [{ transport: 'ws' }, open.ws.size],
    ],
  );
  return {
    enter(transport, organisationId, connection) {
      const share = shares.get(organisationId) ?? 0;
      if (share >= CONNECTIONS_PER_ORGANISATION_MAX) return null;
      shares.set(organisationId, share + 1);
      open[transport].add(connection);
      if (isDraining) connection.end();
      return () => {
        open[transport].delete(connection);
        const others = (shares.get(organisationId) ?? 1) - 1;
        if (others === 0) shares.delete(organisationId);
        else shares.set(organisationId, others);
        if (open.sse.size + open.ws.size === 0) left.emit('empty');
      };
    },
    async drain(withinMs) {
      isDraining = true;
      const all = [...open.sse, ...open.ws];
      await Promise.all(all.map((each) => each.settle(withinMs).then(() => each.end())));
      if (open.sse.size + open.ws.size > 0) await once(left, 'empty', { signal: AbortSignal.timeout(GRACE_MS) }).catch(() => undefined);
      for (const each of all) each.cut();
    },
  };
}
