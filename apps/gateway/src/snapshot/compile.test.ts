import { createHash, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Manifest, PartHash } from '@patchbay/contracts';
import { compileSnapshot, partsToFetch } from './compile.ts';

type Server = { slug: string; tools: string[]; held?: string[]; serverInfo?: object };
const ORGANISATION = randomUUID();

/** Manifest and bytes of an organisation, as they come over the wire. */
function wire(servers: Server[], ids: string[]) {
  const bytes = new Map<PartHash, Buffer>();
  const row = (kind: string, key: string, part: Buffer) => {
    const hash = createHash('sha256').update(part).digest('hex') as PartHash;
    bytes.set(hash, part);
    return { kind, key, hash, bytes: part.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const parts = servers.flatMap(({ slug, tools, held = [], serverInfo = {} }, index) => {
    const id = ids[index] ?? '';
    const definitions = tools.map((name) => `{ "name" : ${JSON.stringify(name)}, "n": 12345678901234567890 }`);
    let offset = 0;
    const entries = tools.map((name, at) => {
      const length = Buffer.byteLength(definitions[at] ?? '');
      const entry = { kind: 'tool', name, offset, length, contractHash: 'c' };
      offset += length;
      return entry;
    });
    const header = {
      format: 1,
      serverId: id,
      era: 'legacy',
      protocolVersion: '2025-11-25',
      serverInfo,
      capabilities: {},
      instructions: null,
      entries,
    };
    const timeouts = { connectMs: 1_000, requestMs: 1_000 };
    const server = { format: 1, id, slug, kind: 'stdio', url: null, isolation: 'session', timeouts, generation: 'g', hasCredential: false };
    const catalogue = Buffer.from(`${JSON.stringify(header)}\n${definitions.join('')}`);
    return [row('server', id, json({ ...server, bareTools: held, barePrompts: [] })), row('catalogue', id, catalogue)];
  });
  parts.unshift(row('organisation', 'o', json({ format: 1, organisationId: ORGANISATION, slug: 'acme', egressOpenings: [] })));
  parts.push(row('grants', '0', json({ format: 1, grants: [] })));
  const manifest = {
    format: 1,
    organisationId: ORGANISATION,
    organisationSlug: 'acme',
    epoch: 1,
    revision: 1,
    issuedAtMs: 1,
    parts,
    invalidations: [],
  };
  return { manifest: manifest as unknown as Manifest, bytes };
}

const IDS = [randomUUID(), randomUUID(), randomUUID()];

test('a server that does not say who it is goes by its slug; what one says of itself stays', async () => {
  const said = { name: 'Files', version: '2', title: 'All files' };
  const servers = [
    { slug: 'files', tools: [], serverInfo: said },
    { slug: 'other', tools: [], serverInfo: { version: '1', icons: [] } },
    { slug: 'silent', tools: [] },
  ];
  const { manifest, bytes } = wire(servers, IDS);
  const { serversBySlug } = (await compileSnapshot(manifest, bytes, null)).snapshot;
  const infoOf = (slug: string): unknown => serversBySlug.get(slug)?.catalogue?.serverInfo;
  expect(infoOf('files')).toEqual(said);
  expect(infoOf('other')).toEqual({ name: 'other', version: '1', icons: [] });
  expect(infoOf('silent')).toEqual({ name: 'silent', version: '' });
});

test("a definition is the upstream's own bytes, numbers beyond 2^53 and spaces included", async () => {
  const { manifest, bytes } = wire([{ slug: 'files', tools: ['é', 'read'] }], IDS);
  const { snapshot } = await compileSnapshot(manifest, bytes, null);
  const entry = snapshot.exposedTools.get('files_read')?.entry;
  expect(entry?.definition.toString()).toBe('{ "name" : "read", "n": 12345678901234567890 }');
});

test('a bare name lists its first holder first, and is no bare name when it is an exposed one', async () => {
  const servers = [
    { slug: 'a', tools: ['read', 'b_list'] },
    { slug: 'b', tools: ['read', 'list'], held: ['read'] },
    { slug: 'c', tools: ['only'] },
  ];
  const { manifest, bytes } = wire(servers, IDS);
  const { snapshot } = await compileSnapshot(manifest, bytes, null);
  expect(snapshot.bareTools.get('read')?.map(({ server }) => server.slug)).toEqual(['b', 'a']);
  expect(snapshot.bareTools.get('only')?.map(({ exposedName }) => exposedName)).toEqual(['c_only']);
  expect(snapshot.bareTools.has('b_list')).toBe(false);
  expect(snapshot.exposedTools.get('b_list')?.server.slug).toBe('b');
});

test('what has not changed is taken over as it is; only the rest is fetched', async () => {
  const first = wire(
    [
      { slug: 'a', tools: ['x'] },
      { slug: 'b', tools: ['y'] },
    ],
    IDS,
  );
  const before = await compileSnapshot(first.manifest, first.bytes, null);
  const second = wire(
    [
      { slug: 'a', tools: ['x'] },
      { slug: 'b', tools: ['y', 'z'] },
    ],
    IDS,
  );
  expect(partsToFetch(second.manifest, before).map(({ kind, key }) => [kind, key])).toEqual([['catalogue', IDS[1]]]);
  const after = await compileSnapshot(second.manifest, second.bytes, before);
  expect(after.snapshot.serversBySlug.get('a')).toBe(before.snapshot.serversBySlug.get('a'));
  expect(after.snapshot.grants).toBe(before.snapshot.grants);
  expect(after.snapshot.serversBySlug.get('b')?.catalogue?.tools.size).toBe(2);
});

test('a server that is removed leaves no name behind', async () => {
  const first = wire(
    [
      { slug: 'a', tools: ['x'] },
      { slug: 'b', tools: ['y'] },
    ],
    IDS,
  );
  const before = await compileSnapshot(first.manifest, first.bytes, null);
  const second = wire([{ slug: 'a', tools: ['x'] }], IDS);
  const { snapshot } = await compileSnapshot(second.manifest, second.bytes, before);
  expect([...snapshot.exposedTools.keys(), ...snapshot.bareTools.keys(), ...snapshot.serversBySlug.keys()]).toEqual(['a_x', 'x', 'a']);
});

test('parts that are malformed, missing or about something else make no snapshot', async () => {
  const { manifest, bytes } = wire([{ slug: 'a', tools: ['x'] }], IDS);
  const change = (kind: string, edit: (text: string) => string): Promise<unknown> => {
    const row = manifest.parts.find((part) => part.kind === kind);
    if (row === undefined) throw new Error('no such part');
    return compileSnapshot(manifest, new Map(bytes).set(row.hash, Buffer.from(edit((bytes.get(row.hash) ?? '').toString()))), null);
  };
  await expect(compileSnapshot(manifest, new Map(), null)).rejects.toThrow();
  await expect(change('catalogue', (text) => text.slice(0, -1))).rejects.toMatchObject({
    detail: expect.stringContaining('outside its own bytes'),
  });
  await expect(change('catalogue', () => '{}')).rejects.toMatchObject({ detail: expect.stringContaining('no header line') });
  await expect(change('catalogue', (text) => text.replace(IDS[0] ?? '', IDS[1] ?? ''))).rejects.toMatchObject({
    detail: expect.stringContaining('something else'),
  });
  await expect(change('server', (text) => text.replace('"stdio"', '"streamable-http"'))).rejects.toMatchObject({
    detail: expect.stringContaining('URL'),
  });
  await expect(change('grants', () => '{"format":2}')).rejects.toMatchObject({ detail: expect.stringContaining('shape') });
  await expect(change('organisation', (text) => text.replace(ORGANISATION, randomUUID()))).rejects.toMatchObject({
    detail: expect.stringContaining('another organisation'),
  });
});

test('limits are compiled once for each change of them, none when no part names any, and from one part alone', async () => {
  const { manifest, bytes } = wire([], []);
  const withLimits = (limits: object[], key: string): Manifest => {
    const part = Buffer.from(JSON.stringify({ format: 1, limits }));
    const hash = createHash('sha256').update(part).digest('hex') as PartHash;
    bytes.set(hash, part);
    return { ...manifest, parts: [...manifest.parts, { kind: 'limits', key, hash, bytes: part.length }] };
  };
  const applies = { subject: null, tokenId: null, serverId: null, tool: null };
  const limit = { id: randomUUID(), name: 'one', mode: 'enforce', per: ['user'], applies, windows: [], concurrency: 1 };
  const none = await compileSnapshot(manifest, bytes, null);
  expect(none.snapshot.limits).toBeNull();
  const first = await compileSnapshot(withLimits([limit], '0'), bytes, none);
  expect(first.snapshot.limits?.ofServer('any').rules).toMatchObject([{ name: 'one', concurrency: 1 }]);
  const second = await compileSnapshot({ ...withLimits([limit], '0'), revision: 2 as Manifest['revision'] }, bytes, first);
  expect(second.snapshot.limits).toBe(first.snapshot.limits);
  const { parts } = withLimits([limit], '0');
  const twice = { ...manifest, parts: [...parts, ...withLimits([{ ...limit, name: 'two' }], '1').parts.slice(-1)] };
  await expect(compileSnapshot(twice, bytes, null)).rejects.toMatchObject({ detail: expect.stringContaining('one limits part') });
  await expect(compileSnapshot(withLimits([{ ...limit, windows: [{ windowMs: 0, max: 1 }] }], '0'), bytes, null)).rejects.toThrow();
});

test('lists stand in the order of slugs, then in that of the server, whichever order the manifest has', async () => {
  const { manifest, bytes } = wire(
    [
      { slug: 'b', tools: ['z', 'a'] },
      { slug: 'a', tools: ['m'] },
    ],
    IDS,
  );
  const { snapshot } = await compileSnapshot(manifest, bytes, null);
  expect([...snapshot.exposedTools.keys()]).toEqual(['a_m', 'b_z', 'b_a']);
  expect([...snapshot.serversBySlug.keys()]).toEqual(['a', 'b']);
});
