import { createHash } from 'node:crypto';
import type {
  CataloguePartHeader,
  GrantsPart,
  LimitsPart,
  Manifest,
  OrganisationPart,
  PartHash,
  PartKind,
  ServerPart,
} from '@patchbay/contracts';
import type { z } from 'zod';
import type { Organisation, Server } from './organisation.ts';
import { toolDefinition } from './tools.ts';

/** A part with its row of the manifest. */
export type Part = { readonly row: Manifest['parts'][number]; readonly bytes: Buffer };

/** The generation of every server: none is ever changed. */
const GENERATION = 'g1';

const TIMEOUTS = { connectMs: 2_000, requestMs: 30_000 };
const CALLS_MAX = 1_000_000_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** All of its parts, as the control plane writes them (docs/architecture/snapshot.md). */
export function partsOf(organisation: Organisation): Part[] {
  const { id, servers, slug } = organisation;
  const settings = {
    format: 1,
    organisationId: id,
    slug,
    egressOpenings: [{ cidr: '127.0.0.1/32', port: null }],
  } satisfies OrganisationPart;
  return [
    part('organisation', 'organisation', json(settings)),
    ...servers.flatMap((server) => [
      part('server', server.id, json(serverPart(server))),
      part('catalogue', server.id, cataloguePart(server)),
    ]),
    ...grantShards(organisation),
    part('limits', '0', json(limitsPart(organisation))),
  ];
}

/** What is signed: where everything lies. */
export function manifestOf({ id, revision, slug }: Organisation, parts: readonly Part[]): unknown {
  const rows = parts.map(({ row }) => row);
  const at = { epoch: 1, revision, issuedAtMs: Date.now() };
  return { format: 1, organisationId: id, organisationSlug: slug, ...at, needs: ['limits'], parts: rows, invalidations: [] };
}

function part(kind: PartKind, key: string, bytes: Buffer): Part {
  const hash = createHash('sha256').update(bytes).digest('hex') as PartHash;
  return { row: { kind, key, hash, bytes: bytes.length }, bytes };
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function serverPart({ id, slug, url }: Server): z.input<typeof ServerPart> {
  const reached = {
    kind: 'streamable-http',
    url,
    isolation: 'session',
    timeouts: TIMEOUTS,
    generation: GENERATION,
    hasCredential: true,
  } as const;
  return { format: 1, id, slug, ...reached, bareTools: [], barePrompts: [] };
}

function cataloguePart({ era, id, slug, tools }: Server): Buffer {
  let offset = 0;
  const definitions = tools.map((name) => Buffer.from(toolDefinition(name)));
  const entries = tools.map((name, k): CataloguePartHeader['entries'][number] => {
    const length = definitions[k]?.length ?? 0;
    const entry = { kind: 'tool', name, offset, length, contractHash: `${slug} ${name}`, needs: [] } as const;
    offset += length;
    return { ...entry, needs: [] };
  });
  const said = { serverInfo: { name: slug, version: '1.0.0' }, capabilities: { tools: {} }, instructions: null, leftOut: null, ttlMs: {} };
  const protocolVersion = era === 'modern' ? '2026-07-28' : '2025-11-25';
  const header = { format: 1, serverId: id, era, protocolVersion, ...said, entries } satisfies CataloguePartHeader;
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...definitions]);
}

/** By the first digit of the server's id. */
export function grantShards({ grants }: Organisation): Part[] {
  const shards = Map.groupBy(grants, ({ serverId }) => serverId.charAt(0));
  return [...shards].map(([key, all]) => part('grants', key, json({ format: 1, grants: all } satisfies Wire<GrantsPart>)));
}

/** What is written may be read-only here. */
type Wire<T> = T extends readonly (infer E)[] ? readonly Wire<E>[] : T extends object ? { readonly [K in keyof T]: Wire<T[K]> } : T;

/** One for every call, far above what any load reaches; and those of single servers. */
function limitsPart({ limitIds, servers }: Organisation): LimitsPart {
  const everything = { subject: null, tokenId: null, serverId: null, tool: null };
  const limit = { mode: 'enforce', per: ['user'], concurrency: null } as const;
  const fair = {
    ...limit,
    per: [...limit.per],
    id: limitIds.fair,
    name: 'fair use',
    applies: everything,
    windows: [{ windowMs: MINUTE_MS, max: CALLS_MAX }],
  };
  const ofServers = servers.flatMap(({ callsMax, id: serverId }) => {
    const id = limitIds.byServer.get(serverId);
    if (callsMax === undefined || id === undefined) return [];
    return [
      { ...fair, id, name: 'hardly any', per: [], applies: { ...everything, serverId }, windows: [{ windowMs: HOUR_MS, max: callsMax }] },
    ];
  });
  return { format: 1, limits: [fair, ...ofServers] };
}
