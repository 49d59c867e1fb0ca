import { randomUUID } from 'node:crypto';
import { type ClientProfile, ServerId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import { changedLists } from './changed-lists.ts';

const serverId = ServerId.parse(randomUUID());
const none = new Map();
const grants = {};

/** With nothing in it but what clients of its endpoints can take. */
function snapshotFor(ofAggregate?: ClientProfile, ofServer?: ClientProfile): CompiledSnapshot {
  const catalogue = { tools: none, prompts: none, resources: none, templates: none };
  const server = { id: serverId, slug: 's', catalogue, clientProfile: ofServer };
  const named = { exposedTools: none, exposedPrompts: none };
  return {
    ...named,
    grants,
    clientProfile: ofAggregate,
    serversById: new Map([[serverId, server]]),
    liveServers: [],
    serversBySlug: new Map([['s', server]]),
  } as unknown as CompiledSnapshot;
}

test('what clients of an endpoint can take changes the lists of names there, and at no other endpoint', () => {
  const changed = (at: ServerId | null, before: CompiledSnapshot, after: CompiledSnapshot): string[] => [
    ...changedLists({ principal: { subjects: [] }, serverId: at }, before, after),
  ];
  const [plain, ofAggregate, ofServer] = [snapshotFor(), snapshotFor({ toolsMax: 3 }), snapshotFor(undefined, { toolsMax: 3 })];
  expect(changed(null, plain, ofAggregate)).toEqual(['tools', 'prompts']);
  expect(changed(serverId, plain, ofAggregate)).toEqual([]);
  expect(changed(serverId, ofServer, plain)).toEqual(['tools', 'prompts']);
  expect(changed(null, plain, ofServer)).toEqual([]);
  expect(changed(null, ofAggregate, snapshotFor({ toolsMax: 3 }))).toEqual([]);
});
