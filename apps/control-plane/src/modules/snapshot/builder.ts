import { createHash } from 'node:crypto';
import {
  type EgressOpening,
  type GrantsPart,
  MANIFEST_FEATURES,
  type Manifest,
  type OrganisationId,
  type OrganisationPart,
  type OrganisationSlug,
  type PartHash,
  type PartKind,
  type ServerPart,
} from '@patchbay/contracts';
import type { z } from 'zod';
import { profileOf } from './client-profile.ts';
import { limitsDocument } from './limits-part.ts';
import { revocationDocuments } from './revocation-parts.ts';
import type { NamesByServer } from './held-names.ts';
import type { GrantRow, ServerRow, TenantRows } from './tenant-rows.repository.ts';

/** Grants are sharded by server, so that a change re-sends a fraction of them. */
const GRANT_SHARDS = 16;

/** One line of the manifest; `bytes` is null for a catalogue, which lies in the database under its hash. */
export type BuiltPart = {
  readonly kind: PartKind;
  readonly key: string;
  readonly hash: PartHash;
  readonly length: number;
  readonly bytes: Buffer | null;
  /** What a reader must know to enforce it, where its kind does not say that. */
  readonly needs?: readonly string[];
};

/** The parts of a snapshot. The same rows give the same bytes, so that an unchanged part keeps its hash. */
export function buildParts(
  organisation: { id: OrganisationId; slug: OrganisationSlug },
  { rows, names }: { rows: TenantRows; names: NamesByServer },
  egressOpenings: EgressOpening[],
): BuiltPart[] {
  const settings: OrganisationPart = {
    format: 1,
    organisationId: organisation.id,
    slug: organisation.slug,
    egressOpenings,
    // Left out of the text where there is none.
    clientProfile: profileOf(rows),
    allowedOrigins: rows.allowedOrigins.length === 0 ? undefined : [...rows.allowedOrigins],
  };
  return [
    jsonPart('organisation', organisation.id, settings),
    ...rows.servers.map(
      (server): BuiltPart => ({ ...jsonPart('server', server.id, serverPart(server, names)), needs: featuresOf(server) }),
    ),
    ...rows.servers.flatMap(cataloguePart),
    ...grantParts(rows.grants),
    ...(rows.limits.length === 0 ? [] : [jsonPart('limits', '0', limitsDocument(rows.limits))]),
    ...revocationDocuments(rows.revokedTokens).map(([key, document]) => jsonPart('revocations', key, document)),
  ];
}

function featuresOf({ catalogueMode, sampling }: ServerRow): string[] {
  return [...(sampling === 'refused' ? ['sampling'] : []), ...(catalogueMode === 'per-credential' ? ['per-credential'] : [])];
}

/** What a reader must know to enforce these parts: one that does not know of them would let pass what they refuse. */
export function needsOf(parts: readonly BuiltPart[]): string[] {
  return MANIFEST_FEATURES.filter((feature) => parts.some(({ kind, needs }) => kind === feature || needs?.includes(feature) === true));
}

/** A part's line in the manifest. */
export function manifestLine({ kind, key, hash, length }: BuiltPart): Manifest['parts'][number] {
  return { kind, key, hash, bytes: length };
}

function cataloguePart({ id, catalogueHash: hash, catalogueLength: length }: ServerRow): BuiltPart[] {
  return hash === null ? [] : [{ kind: 'catalogue', key: id, hash: hash as PartHash, length, bytes: null }];
}

function serverPart(server: ServerRow, names: NamesByServer): z.input<typeof ServerPart> {
  const { silentSince } = server;
  const part = {
    format: 1,
    id: server.id,
    slug: server.slug,
    ...whereItIs(server),
    isolation: server.isolation,
    timeouts: { connectMs: server.connectMs, requestMs: server.requestMs },
    generation: server.generation,
    bareTools: names.get(server.id)?.tools ?? [],
    barePrompts: names.get(server.id)?.prompts ?? [],
    ...(server.catalogueMode === 'shared' ? {} : { catalogueMode: server.catalogueMode }),
    ...(server.sampling === 'relayed' ? {} : { sampling: server.sampling }),
    ...(silentSince === null ? {} : { silentSince: new Date(silentSince).toISOString() }),
    clientProfile: profileOf(server),
  };
  // Rows hold what our own schemas and the table's checks admitted.
  return part as unknown as z.input<typeof ServerPart>;
}

/** To a gateway every server that a stdio host runs or connects to is one of the host's: it has no address and no credential to give it. */
function whereItIs({ hasCredential, kind, url }: ServerRow): Pick<ServerPart, 'kind' | 'url' | 'hasCredential'> {
  return kind === 'streamable-http' ? { kind, url, hasCredential } : { kind: 'stdio', url: null, hasCredential: false };
}

function grantParts(grants: readonly GrantRow[]): BuiltPart[] {
  const shards = new Map<number, GrantsPart['grants']>();
  for (const { id, subjectKind, userId, serverId, mode, names } of grants) {
    const shard = Number.parseInt(serverId.slice(-2), 16) % GRANT_SHARDS;
    const subject = subjectKind === 'user' ? { kind: 'user', userId } : { kind: 'everyone' };
    const tools = mode === 'all' ? { mode: 'all' } : { mode: 'names', names };
    const entry = { id, subject, serverId, tools } as GrantsPart['grants'][number];
    const entries = shards.get(shard) ?? [];
    shards.set(shard, entries);
    entries.push(entry);
  }
  return [...shards]
    .sort(([a], [b]) => a - b)
    .map(([shard, entries]) => jsonPart('grants', String(shard), { format: 1, grants: entries } satisfies GrantsPart));
}

function jsonPart(kind: PartKind, key: string, document: object): BuiltPart {
  const bytes = Buffer.from(JSON.stringify(document), 'utf8');
  return { kind, key, hash: hashPart(bytes), length: bytes.length, bytes };
}

/** A part's address: the SHA-256 of its bytes. */
export function hashPart(bytes: Uint8Array): PartHash {
  return createHash('sha256').update(bytes).digest('hex') as PartHash;
}
