import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GrantsPart, Principal } from '@patchbay/contracts';
import { compileGrants } from '@patchbay/policy';
import { expect, test } from 'vitest';
import { CallContext } from '../pipeline/context.ts';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import { describeEndpoint } from './discover.ts';

const subscribable = { id: 'server', slug: 'server', catalogue: { era: 'modern', capabilities: { resources: { subscribe: true } } } };

function snapshotOf(): CompiledSnapshot {
  const everything = { mode: 'all' } as const;
  const grants = [{ id: 'grant', subject: { kind: 'user', userId: 'ada' }, serverId: 'server', tools: everything }];
  return {
    grants: compileGrants([grants as unknown as GrantsPart['grants']]),
    serversBySlug: new Map([['server', subscribable as unknown as CompiledServer]]),
    descriptions: new Map(),
  } as unknown as CompiledSnapshot;
}

function contextOf(snapshot: CompiledSnapshot, user: string, era: 'legacy' | 'modern'): CallContext {
  const ctx = new CallContext({} as IncomingMessage, {} as ServerResponse, 0);
  ctx.principal = { subjects: [`user:${user}`, 'everyone'] } as unknown as Principal;
  return Object.assign(ctx, { snapshot, era });
}

test('an endpoint is described once for all who may use the same, and anew in the next snapshot', () => {
  const snapshot = snapshotOf();
  const first = describeEndpoint(contextOf(snapshot, 'ada', 'modern'));
  expect(describeEndpoint(contextOf(snapshot, 'ada', 'modern'))).toBe(first);
  expect(describeEndpoint(contextOf(snapshot, 'eve', 'modern'))).toBe(describeEndpoint(contextOf(snapshot, 'bob', 'modern')));
  expect(describeEndpoint(contextOf(snapshotOf(), 'ada', 'modern'))).not.toBe(first);
});

test('nobody is shown what another’s permissions or another era’s clients are told', () => {
  const snapshot = snapshotOf();
  const told = (user: string, era: 'legacy' | 'modern') => describeEndpoint(contextOf(snapshot, user, era))?.capabilities['resources'];
  expect(told('ada', 'modern')).toEqual({ listChanged: true, subscribe: true });
  expect(told('eve', 'modern')).toEqual({ listChanged: true });
  expect(describeEndpoint(contextOf(snapshot, 'ada', 'legacy'))).not.toBe(describeEndpoint(contextOf(snapshot, 'ada', 'modern')));
});
