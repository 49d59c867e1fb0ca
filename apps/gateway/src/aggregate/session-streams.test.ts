import { randomUUID } from 'node:crypto';
import { type GrantsPart, type Principal, ServerId } from '@patchbay/contracts';
import { compileGrants } from '@patchbay/policy';
import { expect, test } from 'vitest';
import type { ClientSession } from '../sessions/client-session.ts';
import { type SessionState, UNCHANGED } from '../sessions/session-states.ts';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import type { ClientStream } from '../streams/client-stream.ts';
import type { StreamOwner, Subscribed } from '../streams/stream-owner.ts';
import { StreamShares } from '../streams/stream-shares.ts';
import { SessionStreams, type SessionStreamsDeps } from './session-streams.ts';

const IDS = [ServerId.parse(randomUUID()), ServerId.parse(randomUUID())];
const server = (id: ServerId) => ({ id, slug: id, catalogue: { era: 'legacy' }, catalogueMode: 'shared' }) as unknown as CompiledServer;
const grants = IDS.map((serverId) => ({ id: serverId, subject: { kind: 'user', userId: 'ada' }, serverId, tools: { mode: 'all' } }));
const snapshot = {
  grants: compileGrants([grants as unknown as GrantsPart['grants']]),
  serversById: new Map(IDS.map((id) => [id, server(id)])),
} as unknown as CompiledSnapshot;
const using = (...ids: ServerId[]): SessionState => ({ ...UNCHANGED, servers: ids.map((serverId) => ({ serverId, opening: 'one' })) });

test('what was read of a session before it changed undoes nothing, however late it comes', async () => {
  const [older, newer] = [Promise.withResolvers<SessionState>(), Promise.withResolvers<SessionState>()];
  const reads = [older.promise, newer.promise];
  let changed = (): Promise<void> => Promise.resolve();
  const deps = {
    states: {
      current: () => reads.shift() ?? newer.promise,
      watch: (_session: ClientSession, follow: () => Promise<void>) => {
        changed = follow;
        return () => undefined;
      },
    },
    snapshots: { current: () => snapshot },
    shares: new StreamShares(),
    credentials: {},
    resolveUpstream: () => ({ code: 'upstream.unreachable' }),
    logger: { warn: () => undefined },
  } as unknown as SessionStreamsDeps;
  const used: Subscribed[] = [];
  const streams = new SessionStreams(deps, {
    owner: { organisationSlug: 'acme', principal: { subjects: ['user:ada'] } as unknown as Principal } as StreamOwner,
    session: { organisationId: 'acme', protocolVersion: '2025-11-25' } as unknown as ClientSession,
    used,
    stream: {} as ClientStream,
    positions: new Map(),
  });
  const opened = streams.open();
  const followed = changed();
  newer.resolve(using(...IDS));
  await followed;
  older.resolve(using(...IDS.slice(0, 1)));
  await opened;
  expect(used.map(({ serverId }) => serverId)).toEqual(IDS);
  streams.close();
});
