import { createHash, KeyObject, randomUUID } from 'node:crypto';
import { CompactSign, generateKeyPair } from 'jose';
import {
  PODS,
  SIGNED_TYPES,
  type Invalidation,
  type OrganisationId,
  type PartHash,
  type PodMessages,
  type ServerId,
  type TokenHash,
  type TokenId,
  type UserId,
} from '@patchbay/contracts';
import { hashToken, mintToken } from '@patchbay/tokens';
import { createKeyring, messageKey, Secret } from '@patchbay/vault';
import type { Bus, Directory, Parts } from '@patchbay/ports';
import { makeControlPlane } from '../directory/control-plane.ts';
import { DISK } from './files.ts';
import { makeVerifier, type SignedKind } from './verify.ts';

/** A server as tests describe it; its tools' definitions are their JSON. */
export type FakeServer = { id: ServerId; slug: string; tools: string[]; prompts?: string[]; bareTools?: string[]; url?: string };
export type FakeToken = { text: string; hash: TokenHash; userId: UserId; tokenId: TokenId; expiresAtMs: number | null; revoked: boolean };
export type FakeOrganisation = {
  id: OrganisationId;
  slug: string;
  epoch: number;
  revision: number;
  servers: FakeServer[];
  grants: { userId: UserId; serverId: ServerId }[];
  tokens: Map<TokenHash, FakeToken>;
  invalidations: Invalidation[];
};
type Row = { kind: string; key: string; hash: PartHash; bytes: number };

export const uuid = <T>(): T => randomUUID() as T;
const sha256 = (bytes: Buffer): PartHash => createHash('sha256').update(bytes).digest('hex') as PartHash;

/** What the programs outside the pod hold, and how often they were asked. */
function makeWorld() {
  const startedAtMs = 1_800_000_000_000;
  /** `now` is the true time; `skewMs` makes this machine's wall clock wrong. */
  const clock = { now: startedAtMs, skewMs: 0, nowMs: () => clock.now + clock.skewMs, monotonicMs: () => clock.now - startedAtMs };
  return {
    clock,
    away: { stores: false, controlPlane: false },
    organisations: new Map<string, FakeOrganisation>(),
    stored: {
      manifests: new Map<OrganisationId, string>(),
      parts: new Map<string, Buffer>(),
      tokens: new Map<TokenHash, string>(),
      organisations: new Map<string, string>(),
      directoryRevision: 0,
    },
    calls: { getToken: 0, controlPlaneToken: 0, controlPlaneOrganisation: 0, getManifest: 0, getParts: [] as PartHash[] },
    listeners: new Set<{ onMessage(message: string): void; onGap(): void }>(),
    /** What pods said, on either way, in order. */
    reports: { onBus: [] as string[], posted: [] as string[] },
    /** Awaited before a token lookup of the store, or of the control plane, is answered. */
    gate: { getToken: async (): Promise<void> => undefined, controlPlaneToken: async (): Promise<void> => undefined },
  };
}

type World = ReturnType<typeof makeWorld>;

function fakePorts({ away, stored, calls, gate, listeners, reports }: World): { bus: Bus; parts: Parts; directory: Directory } {
  const up = <T>(value: T): T => {
    if (away.stores) throw new Error('ECONNREFUSED');
    return value;
  };
  const bus: Bus = {
    publish: async (topic, message) => {
      if (topic === 'pods') return void reports.onBus.push(up(message));
      listeners.forEach((listener) => listener.onMessage(message));
    },
    subscribe: async (_topic, listener) => {
      up(null);
      listeners.add(listener);
      return { close: async () => void listeners.delete(listener) };
    },
    isListening: () => listeners.size > 0,
    close: async () => undefined,
  };
  const parts: Parts = {
    putParts: async () => undefined,
    missing: async () => [],
    putManifest: async () => true,
    removeManifest: async () => undefined,
    collectGarbage: async () => 0,
    getPositions: async () => new Map(),
    getManifest: async (id) => {
      calls.getManifest += 1;
      return up(stored.manifests.get(id) ?? null);
    },
    getParts: async (_id, hashes) => {
      calls.getParts.push(...hashes);
      return up(new Map(hashes.flatMap((hash) => (stored.parts.has(hash) ? [[hash, stored.parts.get(hash) as Buffer]] : []))));
    },
  };
  const directory: Directory = {
    putTokens: async () => undefined,
    removeExpiredTokens: async () => 0,
    putOrganisation: async () => undefined,
    getOrganisation: async (slug) => up(stored.organisations.get(slug) ?? null),
    getToken: async (_id, hash) => {
      calls.getToken += 1;
      const answer = up({ entry: stored.tokens.get(hash) ?? null, revision: stored.directoryRevision as never });
      await gate.getToken();
      return answer;
    },
  };
  return { bus, parts, directory };
}

/** A control plane with real signatures, its stores in memory, and switches that take either away. */
export async function makeFleet() {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const verifier = makeVerifier([KeyObject.from(publicKey)]);
  const tagKey = Buffer.alloc(32, 7);
  const sealingKeys = createKeyring([Buffer.alloc(32, 9)]);
  const world = makeWorld();
  const { clock, away, organisations, stored, calls, gate, listeners, reports } = world;

  function sign(kind: SignedKind, payload: unknown): Promise<string> {
    const header = { alg: 'EdDSA', typ: SIGNED_TYPES[kind], kid: 'k1' };
    return new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(privateKey);
  }

  const { bus, parts, directory } = fakePorts(world);
  const tokenEntry = (organisation: FakeOrganisation, { hash, tokenId, userId, expiresAtMs, revoked }: FakeToken): Promise<string> =>
    sign('tokenEntry', {
      organisationId: organisation.id,
      tokenHash: hash,
      tokenId,
      userId,
      expiresAtMs,
      revision: organisation.revision,
      revoked,
    });

  async function answer(path: string): Promise<unknown> {
    const all = [...organisations.values()];
    const bySlug = /^\/internal\/v1\/organisations\/(.+)$/.exec(path);
    if (bySlug !== null) {
      calls.controlPlaneOrganisation += 1;
      const found = organisations.get(bySlug[1] ?? '');
      if (found === undefined) return undefined;
      const { epoch, id: organisationId, revision } = found;
      return { entry: await sign('organisationEntry', { organisationId, slug: found.slug }), revision, epoch };
    }
    if (path === '/internal/v1/revisions')
      return { organisations: all.map(({ id, slug, epoch, revision }) => ({ organisationId: id, slug, epoch, revision })) };
    const [, id, what, hash] = /^\/internal\/v1\/orgs\/([^/]+)\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    const organisation = all.find((candidate) => candidate.id === id);
    if (organisation === undefined) return undefined;
    if (what === 'manifest') return stored.manifests.get(organisation.id);
    if (what === 'parts') return stored.parts.get(hash ?? '');
    calls.controlPlaneToken += 1;
    const token = organisation.tokens.get(hash as TokenHash);
    const found = token && { entry: await tokenEntry(organisation, token), revision: organisation.revision };
    return gate.controlPlaneToken().then(() => found);
  }
  const controlPlane = makeControlPlane({
    async send(_path, body) {
      if (away.controlPlane) throw new Error('ECONNREFUSED');
      reports.posted.push(...(body as PodMessages).messages);
      return 204;
    },
    async get(path) {
      if (away.controlPlane) throw new Error('ECONNREFUSED');
      const found = await answer(path);
      if (found === undefined) return { status: 404, body: Buffer.alloc(0) };
      return { status: 200, body: Buffer.isBuffer(found) ? found : Buffer.from(typeof found === 'string' ? found : JSON.stringify(found)) };
    },
  });

  async function manifestOf(organisation: FakeOrganisation, change: object = {}): Promise<string> {
    const { id, slug, epoch, revision, invalidations } = organisation;
    const manifest = {
      format: 1,
      organisationId: id,
      organisationSlug: slug,
      epoch,
      revision,
      issuedAtMs: clock.now,
      parts: partsOf(stored, organisation),
      invalidations,
    };
    return sign('manifest', { ...manifest, ...change });
  }

  /** Stores the organisation as it is now, as one more revision; `announce` tells the bus. */
  async function publish(organisation: FakeOrganisation, { announce = true, writeTokens = true } = {}): Promise<void> {
    organisation.revision += 1;
    stored.manifests.set(organisation.id, await manifestOf(organisation));
    stored.organisations.set(
      organisation.slug,
      await sign('organisationEntry', { organisationId: organisation.id, slug: organisation.slug }),
    );
    if (writeTokens) await writeDirectory(organisation);
    if (announce) await announceNow(organisation);
  }

  async function writeDirectory(organisation: FakeOrganisation): Promise<void> {
    for (const token of organisation.tokens.values()) stored.tokens.set(token.hash, await tokenEntry(organisation, token));
    stored.directoryRevision = organisation.revision;
  }

  async function announceNow({ id, epoch, revision, invalidations }: FakeOrganisation, more: { published?: boolean } = {}): Promise<void> {
    await bus.publish('revisions', await sign('announcement', { organisationId: id, epoch, revision, invalidations, ...more }));
  }

  function addOrganisation(slug: string): FakeOrganisation {
    const organisation = {
      id: uuid<OrganisationId>(),
      slug,
      epoch: 1,
      revision: 0,
      servers: [],
      grants: [],
      tokens: new Map(),
      invalidations: [],
    };
    organisations.set(slug, organisation);
    return organisation;
  }

  function addToken(organisation: FakeOrganisation, expiresAtMs: number | null = null): FakeToken {
    const tokenId = uuid<TokenId>();
    const text = mintToken('pbpat', tokenId, tagKey);
    const token = { text, hash: hashToken(text), userId: uuid<UserId>(), tokenId, expiresAtMs, revoked: false };
    organisation.tokens.set(token.hash, token);
    return token;
  }

  function revoke(organisation: FakeOrganisation, token: FakeToken): void {
    token.revoked = true;
    organisation.invalidations.push({ kind: 'token', revision: (organisation.revision + 1) as never, tokenHash: token.hash });
  }

  const ports = { bus, parts, directory };
  const kit = { sign, publish, manifestOf, announceNow, writeDirectory, addOrganisation, addToken, revoke };
  const podKey = messageKey(new Secret('between gateways and control planes'), PODS.keyPurpose);
  const outside = { away, stored, calls, gate, listeners, reports, podKey, clock, tagKey, organisations, bus };
  return { ...kit, ...outside, deps: { ports, controlPlane, verifier, files: DISK, sealingKeys, clock } };
}

export type Fleet = Awaited<ReturnType<typeof makeFleet>>;

/** Stores a part and gives its row in the manifest. */
function storePart(stored: World['stored'], kind: string, key: string, bytes: Buffer): Row {
  const hash = sha256(bytes);
  stored.parts.set(hash, bytes);
  return { kind, key, hash, bytes: bytes.length };
}

function partsOf(stored: World['stored'], { id, slug, servers, grants, tokens }: FakeOrganisation): Row[] {
  const rows: Row[] = [];
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  rows.push(storePart(stored, 'organisation', 'organisation', json({ format: 1, organisationId: id, slug, egressOpenings: [] })));
  for (const server of servers) {
    const { tools, prompts = [], bareTools = tools, url = 'http://127.0.0.1:9/mcp' } = server;
    const timeouts = { connectMs: 1_000, requestMs: 10_000 };
    const part = { format: 1, id: server.id, slug: server.slug, kind: 'streamable-http', url, isolation: 'session', timeouts };
    rows.push(
      storePart(stored, 'server', server.id, json({ ...part, generation: 'g1', hasCredential: false, bareTools, barePrompts: prompts })),
    );
    rows.push(storePart(stored, 'catalogue', server.id, cataloguePart(server.id, tools, prompts)));
  }
  const tools = { mode: 'all' };
  const rowsOfGrants = grants.map(({ userId, serverId }) => ({ id: uuid(), subject: { kind: 'user', userId }, serverId, tools }));
  rows.push(storePart(stored, 'grants', '0', json({ format: 1, grants: rowsOfGrants })));
  for (const { hash, revoked } of tokens.values()) {
    if (revoked) rows.push(storePart(stored, 'revocations', hash.charAt(0), json({ format: 1, tokens: [hash.slice(0, 32)] })));
  }
  return rows;
}

function cataloguePart(serverId: ServerId, tools: string[], prompts: string[]): Buffer {
  let offset = 0;
  const named = [...tools.map((name) => ({ kind: 'tool', name })), ...prompts.map((name) => ({ kind: 'prompt', name }))];
  const definitions = named.map(({ name }) => Buffer.from(JSON.stringify({ name, inputSchema: { type: 'object' } })));
  const entries = named.map(({ kind, name }, index) => {
    const { length } = definitions[index] ?? Buffer.alloc(0);
    const entry = { kind, name, offset, length, contractHash: 'c' };
    offset += length;
    return entry;
  });
  const identity = {
    format: 1,
    serverId,
    era: 'legacy',
    protocolVersion: '2025-11-25',
    serverInfo: {},
    capabilities: {},
    instructions: null,
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ...identity, entries })}\n`), ...definitions]);
}
