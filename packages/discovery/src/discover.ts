import { VERSION, type CatalogueEntryKind } from '@patchbay/contracts';
import {
  INITIALIZED_NOTIFICATION,
  isLegacyVersion,
  META_KEYS,
  MODERN_VERSION,
  modernHeaders,
  requestMeta,
  sliceElements,
  type Era,
  isObject,
} from '@patchbay/mcp-wire';
import { type KnownNeeds, withConditional } from './conditional.ts';
import { Conversation, expectResult, noMessage, type NoMessage, type RpcAnswer } from './conversation.ts';
import { EntryCollector, type FoundEntry } from './entries.ts';
import { DiscoveryFailed, quoted } from './failed.ts';
import { LIMITS } from './limits.ts';
import type { Transport } from './transport.ts';

/** Everything that one server said it offers. */
export type Discovered = {
  readonly era: Era;
  readonly protocolVersion: string;
  readonly serverInfo: Record<string, unknown>;
  readonly capabilities: Record<string, unknown>;
  readonly instructions: string | null;
  readonly entries: readonly FoundEntry[];
  /** What was left out, in words. */
  readonly notice: string | null;
  /** For how long each list may be kept, where the server says so. */
  readonly ttlMs: Partial<Record<CatalogueEntryKind, number>>;
  /** The server itself was asked which era it is of, and what was found earlier not gone by. */
  readonly wasProbed: boolean;
};

/** `host`: a stdio host runs it, and speaks legacy alone. `lately`: found to be legacy not long ago. */
export type LegacyBy = 'host' | 'lately';

export type DiscoverInput = {
  readonly transport: Transport;
  readonly requestMs: number;
  /** Why the server need not be asked whether it is of the modern era; null: it must be. */
  readonly legacyBy: LegacyBy | null;
  /** What offers of the server were found to need of a client, while it says it is the same; null: its offers cannot depend on one. */
  readonly knownNeeds: ((serverInfo: Discovered['serverInfo']) => ReturnType<KnownNeeds>) | null;
  /** Told what everybody is offered, before the server is asked what it offers to some. */
  readonly onPlain?: (plain: Discovered) => Promise<void>;
};

type Opened = Omit<Discovered, 'entries' | 'notice' | 'ttlMs' | 'wasProbed'> & {
  readonly headers: (method: string) => Record<string, string>;
  readonly meta: string | null;
};

const CLIENT_INFO = { name: 'patchbay', version: VERSION };
const LATEST_LEGACY = '2025-11-25';
const METHOD_NOT_FOUND = -32601;
/** JSON-RPC errors that only servers of the modern revision know. */
const MODERN_ERRORS: ReadonlySet<number> = new Set([-32020, -32021, -32022]);

const LISTS: readonly { kind: CatalogueEntryKind; capability: string; method: string; member: string }[] = [
  { kind: 'tool', capability: 'tools', method: 'tools/list', member: 'tools' },
  { kind: 'prompt', capability: 'prompts', method: 'prompts/list', member: 'prompts' },
  { kind: 'resource', capability: 'resources', method: 'resources/list', member: 'resources' },
  { kind: 'template', capability: 'resources', method: 'resources/templates/list', member: 'resourceTemplates' },
];

/**
 * Asks a server for all it offers, as a client without capabilities; a legacy one, which may show more to others, again as such. Throws
 * DiscoveryFailed or whatever the transport threw, but not for the sake of what only some clients are shown.
 */
export async function discover({ knownNeeds, legacyBy, onPlain, requestMs, transport }: DiscoverInput): Promise<Discovered> {
  const talk = new Conversation(transport, requestMs);
  const known = legacyBy === null ? null : await openKnownLegacy(talk, legacyBy);
  const opened = known ?? (await probeModern(talk)) ?? (await openLegacy(talk));
  const collector = await readLists(talk, opened);
  const { era, protocolVersion, serverInfo, capabilities, instructions } = opened;
  const said = { era, protocolVersion, serverInfo, capabilities, instructions, wasProbed: known === null };
  const plain = { ...said, entries: collector.entries, ttlMs: collector.ttlMs, notice: collector.notice() };
  // Beyond where a list was cut nothing can be compared.
  if (era === 'modern' || collector.isCut || knownNeeds === null) return plain;
  await onPlain?.(plain);
  const offer = (declared: object) => offerTo(talk, declared);
  return { ...plain, entries: await withConditional(plain.entries, offer, () => knownNeeds(serverInfo)) };
}

/** Ends what was opened. */
async function readLists(talk: Conversation, opened: Opened): Promise<EntryCollector> {
  try {
    const collector = new EntryCollector(opened.era);
    for (const list of LISTS) {
      if (isObject(opened.capabilities[list.capability])) await readList(talk, opened, { ...list, collector });
    }
    return collector;
  } finally {
    const headers = opened.headers('');
    if ('mcp-session-id' in headers) await talk.end(headers);
  }
}

async function offerTo(talk: Conversation, declared: object): Promise<readonly FoundEntry[] | null> {
  try {
    return (await readLists(talk, await openLegacy(talk, declared))).entries;
  } catch {
    // It has told what it offers to a client without capabilities, and that stands.
    return null;
  }
}

/** Goes by what was found earlier; null when the server's answer contradicts it, so that it is asked anew. */
async function openKnownLegacy(talk: Conversation, legacyBy: LegacyBy): Promise<Opened | null> {
  try {
    return await openLegacy(talk);
  } catch (error) {
    if (legacyBy === 'lately' && error instanceof DiscoveryFailed) return null;
    throw error;
  }
}

/** The server as a modern one, or null when it answered as a legacy one would. 401, 403, 5xx and silence are no evidence of an era. */
async function probeModern(talk: Conversation): Promise<Opened | null> {
  const meta = requestMeta({ clientCapabilities: '{}', clientInfo: CLIENT_INFO });
  const answer = await talk.ask('server/discover', `{"_meta":${meta}}`, modernHeaders(MODERN_VERSION, 'server/discover', null));
  if (answer.message === null) {
    if ([401, 403].includes(answer.status) || answer.status >= 500) throw noMessage('server/discover', answer.status);
    if (answer.status < 300) throw noMessage('server/discover', answer.status);
    return null;
  }
  const { error, result } = answer.message;
  if (error !== undefined && MODERN_ERRORS.has(error.code))
    throw new DiscoveryFailed(`The MCP server speaks none of the protocol revisions that Patchbay speaks: ${quoted(error.message)}.`);
  if (answer.status === 401 || answer.status === 403 || answer.status >= 500) throw noMessage('server/discover', answer.status);
  if (result === undefined) return null;
  const versions: unknown = result['supportedVersions'];
  if (!Array.isArray(versions) || !versions.includes(MODERN_VERSION)) return null;
  const info = isObject(result['_meta']) ? result['_meta'][META_KEYS.serverInfo] : undefined;
  return {
    era: 'modern',
    protocolVersion: MODERN_VERSION,
    serverInfo: isObject(info) ? info : {},
    capabilities: isObject(result['capabilities']) ? result['capabilities'] : {},
    instructions: instructionsOf(result),
    headers: (method) => (method === '' ? {} : modernHeaders(MODERN_VERSION, method, null)),
    meta,
  };
}

/** A session with a server of the legacy era, as a client that declares these capabilities; its headers name it. */
export async function openLegacy(talk: Conversation, declared: object = {}): Promise<Opened> {
  const params = JSON.stringify({ protocolVersion: LATEST_LEGACY, capabilities: declared, clientInfo: CLIENT_INFO });
  const answer = expectResult('initialize', await talk.ask('initialize', params, {}));
  const { result } = answer.message;
  const { protocolVersion, serverInfo, capabilities } = result;
  if (typeof protocolVersion !== 'string' || !isLegacyVersion(protocolVersion)) {
    throw new DiscoveryFailed(`The MCP server wants to speak revision ${quoted(String(protocolVersion))}, which Patchbay does not.`);
  }
  const session = answer.headers['mcp-session-id'];
  const headers = { 'mcp-protocol-version': protocolVersion, ...(typeof session === 'string' ? { 'mcp-session-id': session } : {}) };
  await talk.tell(INITIALIZED_NOTIFICATION, headers);
  return {
    era: 'legacy',
    protocolVersion,
    serverInfo: isObject(serverInfo) ? serverInfo : {},
    capabilities: isObject(capabilities) ? capabilities : {},
    instructions: instructionsOf(result),
    headers: () => headers,
    meta: null,
  };
}

type ListInput = {
  readonly kind: CatalogueEntryKind;
  readonly method: string;
  readonly member: string;
  readonly collector: EntryCollector;
};

async function readList(talk: Conversation, opened: Opened, { kind, method, member, collector }: ListInput): Promise<void> {
  const seen = new Set<string>();
  let cursor: string | null = null;
  for (let page = 1; ; page += 1) {
    const answer: RpcAnswer | NoMessage = await talk.ask(method, listParams(cursor, opened.meta), opened.headers(method));
    // Many servers that offer resources have no templates and do not know the method.
    if (page === 1 && answer.message?.error?.code === METHOD_NOT_FOUND) return;
    const { bytes, message } = expectResult(method, answer);
    const spans = sliceElements(bytes, ['result', member]);
    if (spans === null) throw new DiscoveryFailed(`The MCP server's answer to ${method} has no proper list of ${member}.`);
    for (const { start, end } of spans) {
      if (!collector.add(kind, bytes.subarray(start, end))) return;
    }
    collector.keptFor(kind, message.result['ttlMs']);
    const next: unknown = message.result['nextCursor'];
    // An empty string is a cursor like any other.
    if (typeof next !== 'string') return;
    if (page >= LIMITS.pages || seen.has(next)) return collector.cut(kind);
    seen.add(next);
    cursor = next;
  }
}

function listParams(cursor: string | null, meta: string | null): string | null {
  const members = [...(cursor === null ? [] : [`"cursor":${JSON.stringify(cursor)}`]), ...(meta === null ? [] : [`"_meta":${meta}`])];
  return members.length === 0 ? null : `{${members.join(',')}}`;
}

function instructionsOf({ instructions }: Record<string, unknown>): string | null {
  return typeof instructions === 'string' ? instructions.slice(0, LIMITS.instructionsLength) : null;
}
