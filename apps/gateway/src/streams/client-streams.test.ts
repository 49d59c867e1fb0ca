import { randomUUID } from 'node:crypto';
import { type Invalidation, type OrganisationId, Revision, type TokenHash, TokenId, UserId } from '@patchbay/contracts';
import { expect, it, vi } from 'vitest';
import type { ClientSession } from '../sessions/client-session.ts';
import { ClientStreams } from './client-streams.ts';
import type { StreamOwner } from './stream-owner.ts';

const [ACME, OTHER] = [randomUUID() as OrganisationId, randomUUID() as OrganisationId];
const [ADA, BOB] = [UserId.parse(randomUUID()), UserId.parse(randomUUID())];

function ownerOf(change: Partial<StreamOwner> & { userId?: UserId; organisationId?: OrganisationId } = {}): StreamOwner {
  const { userId = ADA, organisationId = ACME, ...rest } = change;
  const principal = { organisationId, userId, tokenId: TokenId.parse(randomUUID()), subjects: [`user:${userId}`, 'everyone'] };
  return {
    organisationSlug: 'acme',
    principal,
    tokenHash: 'a'.repeat(64),
    serverId: null,
    session: null,
    revision: 5,
    subscribed: [],
    ...rest,
  };
}

/** Three streams of one organisation and one of another; which of them have ended. */
function held() {
  const streams = new ClientStreams();
  const ended: string[] = [];
  const owners = {
    ada: ownerOf(),
    adaElsewhere: ownerOf({ tokenHash: 'b'.repeat(64) }),
    bob: ownerOf({ userId: BOB, tokenHash: 'c'.repeat(64) }),
    stranger: ownerOf({ organisationId: OTHER }),
  };
  for (const [name, owner] of Object.entries(owners)) {
    expect(streams.add({ owner, listsChanged: () => undefined, end: () => void ended.push(name) })).toBeTypeOf('function');
  }
  return { streams, ended };
}

const revision = Revision.parse(6);
const tokenHash = 'a'.repeat(64) as TokenHash;

it.each<[string, Invalidation, string[]]>([
  ['a revoked token ends its own streams', { kind: 'token', revision, tokenHash }, ['ada']],
  ['a changed user ends all of theirs', { kind: 'user', revision, userId: ADA }, ['ada', 'adaElsewhere']],
  ['what was known when they were opened ends none', { kind: 'user', revision: Revision.parse(5), userId: ADA }, []],
])('%s', (_what, invalidation, expected) => {
  const { ended, streams } = held();
  streams.invalidated(ACME, [invalidation]);
  expect(ended).toEqual(expected);
});

it('ends all of an organisation, and no other, when something may have been missed', () => {
  const { ended, streams } = held();
  streams.missed(ACME);
  expect(ended).toEqual(['ada', 'adaElsewhere', 'bob']);
});

it('ends those whose owners are no longer let in, at its next look', async () => {
  vi.useFakeTimers();
  try {
    const { ended, streams } = held();
    streams.watch(async ({ principal }) => principal.userId !== BOB);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(ended).toEqual(['bob']);
  } finally {
    vi.useRealTimers();
  }
});

it('ends those of a session that its client ended', () => {
  const streams = new ClientStreams();
  const end = vi.fn();
  const session = { key: 'k1' } as ClientSession;
  streams.add({ owner: ownerOf({ session }), listsChanged: () => undefined, end });
  streams.sessionEnded(ACME, 'k2');
  expect(end).not.toHaveBeenCalled();
  streams.sessionEnded(ACME, 'k1');
  expect(end).toHaveBeenCalledOnce();
});

it('counts what is open, until it is taken out again', () => {
  const streams = new ClientStreams();
  const takeOut = streams.add({ owner: ownerOf(), listsChanged: () => undefined, end: () => undefined });
  expect(streams.count()).toBe(1);
  if (typeof takeOut === 'function') takeOut();
  expect(streams.count()).toBe(0);
});
