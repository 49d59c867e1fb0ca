import { ServerId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import type { CompiledCatalogue, CompiledEntry, CompiledServer, CompiledSnapshot } from './compiled.ts';
import { nameTables } from './name-tables.ts';
import { withCatalogues } from './with-catalogues.ts';

type Offer = { readonly tools?: string[]; readonly resources?: string[] };

function catalogueOf({ resources = [], tools = [] }: Offer): CompiledCatalogue {
  const entries = (kind: 'tool' | 'resource', names: string[]): Map<string, CompiledEntry> =>
    new Map(names.map((name) => [name, { kind, name, definition: Buffer.from(name), contractHash: '', needs: [] }]));
  return {
    tools: entries('tool', tools),
    prompts: new Map(),
    resources: entries('resource', resources),
    templates: new Map(),
  } as unknown as CompiledCatalogue;
}

const idOf = (slug: string): ServerId => ServerId.parse(`00000000-0000-4000-8000-00000000000${slug}`);

/** Servers `1` to `9`, and the bare names that each held first. */
function snapshotOf(offers: Record<string, Offer & { held?: string[] }>): CompiledSnapshot {
  const sources = Object.entries(offers).map(([slug, { held = [], ...offer }]) => ({
    server: { id: idOf(slug), slug, catalogue: catalogueOf(offer) } as CompiledServer,
    bareTools: new Set(held),
    barePrompts: new Set<string>(),
  }));
  const servers = sources.map(({ server }) => server);
  return {
    ...nameTables(sources),
    serversBySlug: new Map(servers.map((server) => [server.slug, server])),
    serversById: new Map(servers.map((server) => [server.id, server])),
    listCache: new Map(),
  } as unknown as CompiledSnapshot;
}

const bareOf = (snapshot: CompiledSnapshot, name: string): string[] | undefined =>
  snapshot.bareTools.get(name)?.map(({ exposedName }) => exposedName);

const shared = snapshotOf({
  1: { tools: ['a'], resources: ['x://a'] },
  2: { tools: ['a', 'gone', 'kept'], held: ['gone', 'a'], resources: ['x://a', 'x://gone'] },
  3: { tools: ['a', 'gone', 'z', '1_a'] },
});
const seen = withCatalogues(shared, new Map([[idOf('2'), catalogueOf({ tools: ['kept', 'z', 'new', 'a'], resources: ['x://new'] })]]));

test('a server’s own tools stand where the others’ were, and everything else where it was', () => {
  expect([...seen.exposedTools.keys()]).toEqual(['1_a', '2_kept', '2_z', '2_new', '2_a', '3_a', '3_gone', '3_z', '3_1_a']);
  expect(seen.exposedTools.size).toBe(9);
  expect(seen.exposedTools.get('2_gone')).toBeUndefined();
  expect(seen.exposedTools.get('2_new')?.server).toBe(seen.serversBySlug.get('2'));
  expect(seen.exposedTools.get('3_a')).toBe(shared.exposedTools.get('3_a'));
  expect(seen.serversById.get(idOf('2'))).toMatchObject({ isOfCredential: true });
  expect(seen.serversById.get(idOf('1'))).toBe(shared.serversById.get(idOf('1')));
  expect(shared.exposedTools.has('2_gone')).toBe(true);
});

test('a bare name stays its first holder’s: where that offers it no more to this credential, it is nobody’s', () => {
  expect(bareOf(seen, 'a')).toEqual(['2_a', '1_a', '3_a']);
  expect(bareOf(shared, 'gone')).toEqual(['2_gone', '3_gone']);
  expect(bareOf(seen, 'gone')).toBeUndefined();
  expect(bareOf(seen, 'z')).toEqual(['3_z', '2_z']);
  expect(bareOf(seen, 'new')).toEqual(['2_new']);
  expect(bareOf(seen, '1_a')).toBeUndefined();
});

test('a URI is owned by whoever lists it to this credential', () => {
  const ownersOf = (uri: string): string[] | undefined => seen.resourceOwners.get(uri)?.map(({ slug }) => slug);
  expect([ownersOf('x://a'), ownersOf('x://gone'), ownersOf('x://new')]).toEqual([['1'], undefined, ['2']]);
});
