import { randomUUID } from 'node:crypto';
import { definitionProblem } from '@patchbay/contracts';
import type { Refusal } from '@patchbay/errors';
import { isObject, requestMeta, sliceElements, sliceMember } from '@patchbay/mcp-wire';
import { LRUCache } from 'lru-cache';
import { NAME_MEMBER } from '../aggregate/expose-entry.ts';
import { within } from '../directory/within.ts';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledEntry, CompiledServer, EntryKind } from '../snapshot/compiled.ts';
import { type Asked, ask } from '../upstream/ask.ts';
import { declaredBy, NOTHING_DECLARED } from '../upstream/asking/declared.ts';
import { envelopeOf } from '../upstream/bridge/envelope.ts';
import { edgeEra } from '../upstream/edge-era.ts';
import { modernRequestHeaders } from '../upstream/headers.ts';
import { refuseFailure } from '../upstream/judge.ts';
import { askInSession } from '../upstream/open-session.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import { capabilitiesTextFor } from '../upstream/sampling.ts';
import type { SessionOwner, SessionRegistry } from '../upstream/session-registry.ts';
import type { Upstream } from '../upstream/upstreams.ts';
import { LIST_KINDS, type ListMethod } from './list-entries.ts';
import { SERVER_INFO } from './self.ts';

export type LiveListsDeps = ReachDeps & { readonly sessions: Pick<SessionRegistry, 'current' | 'replace'> };

/** `entries`: what the server offers this caller; where it `isSilent`, as last known. */
export type LiveList = { readonly entries: Iterable<CompiledEntry>; readonly isSilent: boolean };

/** The lists of other servers wait no longer for that of one. */
const ANSWER_MS = 1_000;
const LATE = Symbol('late');
const PAGES_MAX = 20;
const ENTRIES_MAX = 2_000;
const ENTRY_BYTES_MAX = 64 * 1024;
const KNOWN_BYTES_MAX = 32 * 1024 * 1024;
/** What an entry takes beside its definition, in bytes. */
const ENTRY_OVERHEAD = 256;

type Wanted = { readonly ctx: CallContext; readonly method: ListMethod; readonly upstream: Upstream };

/** What servers with lists of each session's own offer a caller among other servers: asked on its own session, a while at most. */
export class LiveLists {
  readonly #deps: LiveListsDeps;
  /** By caller: what each list said last, on this pod. */
  readonly #known = new LRUCache<string, readonly CompiledEntry[]>({
    maxSize: KNOWN_BYTES_MAX,
    sizeCalculation: (entries, key) => entries.reduce((sum, { definition }) => sum + definition.length + ENTRY_OVERHEAD, key.length + 1),
  });

  /** Asked, and not answered in time. */
  readonly #late = new Set<string>();

  constructor(deps: LiveListsDeps) {
    this.#deps = deps;
  }

  /** Never rejects. An answer that comes too late is what is known next time; until it comes its server is not asked again. */
  async read(ctx: CallContext, server: CompiledServer, method: ListMethod): Promise<LiveList> {
    const key = keyOf(ctx, server, method);
    const entries = this.#late.has(key) ? null : await this.#askInTime(key, this.#ask(ctx, server, method));
    if (entries !== null) return { entries, isSilent: false };
    return { entries: this.#known.get(key) ?? server.catalogue?.[KNOWN_AS[LIST_KINDS[method].kind]].values() ?? [], isSilent: true };
  }

  async #askInTime(key: string, asking: Promise<readonly CompiledEntry[] | null>): Promise<readonly CompiledEntry[] | null> {
    const remembered = asking.then((entries) => {
      if (entries !== null) this.#known.set(key, entries);
      return entries;
    });
    const entries = await within(remembered, ANSWER_MS, LATE);
    if (entries !== LATE) return entries;
    this.#late.add(key);
    void remembered.finally(() => this.#late.delete(key)).catch(() => undefined);
    return null;
  }

  async #ask(ctx: CallContext, server: CompiledServer, method: ListMethod): Promise<readonly CompiledEntry[] | null> {
    const upstream = await reach(this.#deps, ctx, server);
    if ('code' in upstream) return null;
    const entries = new Map<string, CompiledEntry>();
    let cursor: unknown;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      // oxlint-disable-next-line no-await-in-loop -- each page is behind the one before
      const asked = await this.#askPage({ ctx, method, upstream }, cursor);
      if ('code' in asked || sliceMember(asked.body, ['result']) === null) return null;
      collect(entries, asked.body, { server, method });
      const next = sliceMember(asked.body, ['result', 'nextCursor']);
      cursor = next === null ? null : JSON.parse(asked.body.toString('utf8', next.start, next.end));
      if (typeof cursor !== 'string' || entries.size >= ENTRIES_MAX) break;
    }
    return [...entries.values()];
  }

  async #askPage(wanted: Wanted, cursor: unknown): Promise<Asked | Refusal> {
    const { ctx, method, upstream } = wanted;
    const id = `patchbay-list-${randomUUID()}`;
    const isModern = edgeEra(upstream.server, ctx.session) === 'modern';
    const params = [
      ...(typeof cursor === 'string' ? [`"cursor":${JSON.stringify(cursor)}`] : []),
      ...(isModern ? [`"_meta":${metaOf(wanted)}`] : []),
    ];
    const body = `{"jsonrpc":"2.0","id":"${id}","method":"${method}","params":{${params.join(',')}}}`;
    if (!isModern) return this.#askInSession(wanted, { body, id });
    const { slug, timeouts } = upstream.server;
    const way = upstream.ways.to(null);
    if (way === null) return refuseFailure('dial', slug);
    const headers = modernRequestHeaders(upstream, method, null);
    return ask({ request: { pool: way.pool, method: 'POST', path: way.path, headers, body, timeoutMs: timeouts.requestMs }, slug, id });
  }

  async #askInSession({ ctx, upstream }: Wanted, request: { body: string; id: string }): Promise<Asked | Refusal> {
    const owner = ownerOf(ctx, upstream);
    if ('code' in owner) return owner;
    const found = await this.#deps.sessions.current(upstream, owner);
    if ('code' in found) return found;
    const asked = await askInSession(upstream, found, request);
    if ('code' in asked ? asked.code !== 'session.gone' : asked.status !== 404) return asked;
    const replaced = await this.#deps.sessions.replace(upstream, owner, found);
    return 'code' in replaced ? replaced : askInSession(upstream, replaced, request);
  }
}

const KNOWN_AS = { tool: 'tools', prompt: 'prompts', resource: 'resources', template: 'templates' } as const;

/** Whoever declares more may be offered more. */
function keyOf({ body, message, principal, session }: CallContext, { generation, id }: CompiledServer, method: ListMethod): string {
  const span = session === null ? (message?.clientCapabilitiesSpan ?? null) : null;
  const declared = span === null ? '' : body.toString('utf8', span.start, span.end);
  return [principal?.organisationId, id, generation, method, session?.key ?? principal?.userId, declared].join(' ');
}

function ownerOf({ body, era, message, principal, session }: CallContext, { server }: Upstream): SessionOwner | Refusal {
  if (principal === null || message === null) throw new TypeError('a call without a principal has no session');
  const { userId } = principal;
  if (session !== null) return { userId, clientSession: session };
  const declared = era === 'modern' ? declaredBy(body, message, server.sampling) : NOTHING_DECLARED;
  return 'code' in declared ? declared : { userId, clientSession: null, declared };
}

function metaOf({ ctx: { body, era, message, session }, upstream }: Wanted): string {
  const { sampling } = upstream.server;
  if (era === 'legacy') return `{${envelopeOf(session, { level: null, sampling })}}`;
  const span = message?.clientCapabilitiesSpan ?? null;
  const declared = span === null ? '{}' : body.toString('utf8', span.start, span.end);
  return requestMeta({ clientCapabilities: capabilitiesTextFor(sampling, declared), clientInfo: SERVER_INFO });
}

type Listed = { readonly server: CompiledServer; readonly method: ListMethod };

/** What an official client would reject with the whole list is left out, as discovery leaves it out. */
function collect(entries: Map<string, CompiledEntry>, answer: Buffer, { method, server }: Listed): void {
  const { kind, member } = LIST_KINDS[method];
  for (const { end, start } of sliceElements(answer, ['result', member]) ?? []) {
    const name = end - start > ENTRY_BYTES_MAX ? null : listableName(kind, answer.subarray(start, end), server);
    if (name === null || entries.has(name) || entries.size >= ENTRIES_MAX) continue;
    // A copy of its own: what is remembered must not hold the whole answer.
    const definition = Buffer.from(new Uint8Array(answer.subarray(start, end)).buffer);
    entries.set(name, { kind, name, definition, contractHash: '', needs: [] });
  }
}

function listableName(kind: EntryKind, bytes: Buffer, { catalogue }: CompiledServer): string | null {
  const definition: unknown = JSON.parse(bytes.toString('utf8'));
  const name = isObject(definition) ? definition[NAME_MEMBER[kind]] : null;
  if (!isObject(definition) || typeof name !== 'string' || name === '') return null;
  return definitionProblem(kind, definition, catalogue?.era ?? 'legacy') === null ? name : null;
}
