import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GrantId, GrantsPart, OrganisationId, Principal, Revision, ServerId, TokenId, UserId } from '@patchbay/contracts';
import { scanMessage } from '@patchbay/mcp-wire';
import { compileGrants } from '@patchbay/policy';
import { createKeyring } from '@patchbay/vault';
import { describe, expect, test } from 'vitest';
import type { CompiledEntry, CompiledServer, CompiledSnapshot, ExposedEntry } from '../snapshot/compiled.ts';
import { authorize } from './authorize.ts';
import { CallContext, type Outcome } from './context.ts';
import { makeTaskIds } from '../aggregate/task-ids.ts';
import { makeRoute } from './route.ts';

const route = makeRoute({ taskIds: makeTaskIds(createKeyring([Buffer.alloc(32, 1)])), seeCatalogues: (_ctx, find) => find() });
const USER = 'user-1' as UserId;

function tool(name: string): CompiledEntry {
  return { kind: 'tool', name, definition: Buffer.from(JSON.stringify({ name })), contractHash: 'h', needs: [] };
}

function server(slug: string, tools: string[]): CompiledServer {
  const catalogue = {
    era: 'legacy' as const,
    protocolVersion: '2025-11-25',
    serverInfo: {},
    capabilities: {},
    instructions: null,
    leftOut: null,
    ttlMs: {},
    tools: new Map(tools.map((name) => [name, tool(name)])),
    prompts: new Map(),
    resources: new Map(),
    templates: new Map(),
  };
  const timeouts = { connectMs: 1, requestMs: 1 };
  return {
    id: slug as ServerId,
    slug,
    kind: 'streamable-http',
    url: new URL('http://x/mcp'),
    timeouts,
    isolation: 'session',
    generation: '1',
    hasCredential: false,
    catalogueMode: 'shared',
    sampling: 'relayed',
    silentSince: null,
    catalogue,
  };
}

/** `first` held the bare name `search` before `second` did. */
function snapshotWith(grants: GrantsPart['grants']): CompiledSnapshot {
  const first = server('first', ['search', 'a_b']);
  const second = server('second', ['search']);
  const exposed: ExposedEntry[] = [first, second].flatMap((each) =>
    [...(each.catalogue?.tools.values() ?? [])].map((entry) => ({ server: each, entry, exposedName: `${each.slug}_${entry.name}` })),
  );
  const bare = new Map<string, ExposedEntry[]>();
  for (const entry of exposed) bare.set(entry.entry.name, [...(bare.get(entry.entry.name) ?? []), entry]);
  return {
    organisationId: 'org' as OrganisationId,
    organisationSlug: 'org',
    epoch: 1,
    revision: 1 as Revision,
    issuedAtMs: 0,
    egressOpenings: [],
    serversBySlug: new Map([first, second].map((each) => [each.slug, each])),
    liveServers: [],
    serversById: new Map([first, second].map((each) => [each.id as string, each])),
    limits: null,
    grants: compileGrants([grants]),
    exposedTools: new Map(exposed.map((entry) => [entry.exposedName, entry])),
    exposedPrompts: new Map(),
    bareTools: bare,
    barePrompts: new Map(),
    resourceOwners: new Map(),
    templateOwners: new Map(),
    revokedTokens: new Set(),
    listCache: new Map(),
    descriptions: new Map(),
  };
}

function grant(serverId: string, tools: GrantsPart['grants'][number]['tools'] = { mode: 'all' }): GrantsPart['grants'][number] {
  return { id: `grant-${serverId}` as GrantId, subject: { kind: 'everyone' }, serverId: serverId as ServerId, tools };
}

function call(name: string, grants: GrantsPart['grants']): { outcome: Outcome; target: string | null } {
  const ctx = new CallContext({} as IncomingMessage, {} as ServerResponse, 0);
  const principal: Principal = {
    organisationId: 'org' as OrganisationId,
    userId: USER,
    tokenId: 't' as TokenId,
    subjects: [`user:${USER}`, 'everyone'],
  };
  ctx.principal = principal;
  ctx.snapshot = snapshotWith(grants);
  ctx.body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }));
  const scanned = scanMessage(ctx.body);
  if (!scanned.ok) throw new Error('not a message');
  ctx.message = scanned.message;
  const routed = route(ctx);
  if (routed instanceof Promise) throw new Error('nothing had to be asked for it');
  const outcome = routed ?? authorize(ctx);
  const target = outcome === undefined && ctx.target?.kind === 'upstream' ? `${ctx.target.server.slug}/${ctx.target.object.name}` : null;
  return { outcome, target };
}

describe('names on the aggregated endpoint', () => {
  test('a full name is looked up whole, never split at an underscore (trap 1)', () => {
    expect(call('first_a_b', [grant('first')]).target).toBe('first/a_b');
    expect(call('first_a', [grant('first')]).outcome).toMatchObject({ code: 'tool.unknown' });
  });

  test('a tool that is not granted is answered exactly like one that does not exist', () => {
    expect(call('second_search', [grant('first')]).outcome).toEqual(call('second_nothing', [grant('first')]).outcome);
  });

  test('a bare name stands for the first holder’s tool when that is the only one the caller may use', () => {
    expect(call('search', [grant('first')]).target).toBe('first/search');
  });

  test('a bare name that two permitted servers offer is ambiguous, naming both (trap 2)', () => {
    const { outcome } = call('search', [grant('first'), grant('second')]);
    expect(outcome).toMatchObject({ code: 'tool.ambiguous', detail: expect.stringMatching(/first_search.*second_search/) });
  });

  test('a bare name never comes to mean the tool of a later holder', () => {
    const { outcome } = call('search', [grant('second')]);
    expect(outcome).toMatchObject({ code: 'tool.unknown', detail: expect.stringContaining('second_search') });
  });

  test('a bare name that only an ungranted server offers says nothing of that server', () => {
    expect(call('a_b', [grant('second')]).outcome).toEqual(call('no_such', [grant('second')]).outcome);
  });

  test('a grant of named tools opens no other tool', () => {
    const named = [grant('first', { mode: 'names', names: ['search'] })];
    expect(call('first_search', named).target).toBe('first/search');
    expect(call('first_a_b', named).outcome).toMatchObject({ code: 'tool.unknown' });
  });
});
