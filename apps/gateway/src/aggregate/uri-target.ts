import { type Refusal, refusal } from '@patchbay/errors';
import { exposedUri, matchesTemplate, readExposedUri, readUriTemplate } from '@patchbay/mcp-wire';
import type { CallContext, CallObject, Target } from '../pipeline/context.ts';
import type { CompiledServer, CompiledSnapshot } from '../snapshot/compiled.ts';
import { decidedBy } from './app-pages.ts';
import { isPermitted } from './is-permitted.ts';

type UpstreamTarget = Extract<Target, { kind: 'upstream' }>;

/**
 * Whose URI, or template, it is. An exposed one names its server, which judges it: servers know more URIs than they list. A bare one is
 * taken when exactly one server that the caller may use owns it (architecture.md §3): lists it, or has a template for it while nobody
 * lists it.
 */
export function uriTarget(ctx: CallContext, snapshot: CompiledSnapshot, object: CallObject): Target | Refusal {
  const exposed = exposedTarget(ctx, snapshot, object);
  const listing = listingOwners(ctx, snapshot, object);
  // A server's own URI may read like an exposed one of another: then the list decides.
  if (exposed !== null && (listing.length === 0 || lists(exposed, object.kind))) return exposed;
  const owners = listing.length > 0 || object.kind === 'template' ? listing : matchingOwners(ctx, snapshot, object);
  const [owner, second] = owners;
  if (owner === undefined) return unknown(object);
  if (second !== undefined) return ambiguous(owners, object);
  return { kind: 'upstream', server: owner, object: decidedBy(ctx, owner, object), upstreamName: null };
}

function exposedTarget(ctx: CallContext, snapshot: CompiledSnapshot, { kind, name }: CallObject): UpstreamTarget | null {
  const read = readExposedUri(name);
  const server = read === null ? undefined : snapshot.serversBySlug.get(read.serverSlug);
  if (read === null || server === undefined || server.catalogue === null) return null;
  const object = decidedBy(ctx, server, { kind, name: read.original });
  return isPermitted(ctx, server, object) ? { kind: 'upstream', server, object, upstreamName: read.original } : null;
}

function lists({ server: { catalogue }, upstreamName }: UpstreamTarget, kind: CallObject['kind']): boolean {
  return (kind === 'template' ? catalogue?.templates : catalogue?.resources)?.has(upstreamName ?? '') === true;
}

function listingOwners(ctx: CallContext, snapshot: CompiledSnapshot, object: CallObject): readonly CompiledServer[] {
  const owners = (object.kind === 'template' ? snapshot.templateOwners : snapshot.resourceOwners).get(object.name) ?? [];
  return owners.filter((server) => isPermitted(ctx, server, decidedBy(ctx, server, object)));
}

/** Templates tried for one bare URI; whoever has more that begin alike uses full URIs. */
const TEMPLATES_TRIED_MAX = 100;

function matchingOwners(ctx: CallContext, snapshot: CompiledSnapshot, object: CallObject): readonly CompiledServer[] {
  const owners = new Set<CompiledServer>();
  let tried = 0;
  for (const [template, servers] of snapshot.templateOwners) {
    if (!object.name.startsWith(template.slice(0, Math.max(0, template.indexOf('{'))))) continue;
    const permitted = servers.filter((server) => isPermitted(ctx, server, object));
    if (permitted.length === 0) continue;
    tried += 1;
    if (tried > TEMPLATES_TRIED_MAX) break;
    if (matchesTemplate(readUriTemplate(template), object.name)) for (const server of permitted) owners.add(server);
  }
  return [...owners];
}

/** The same for what is missing and for what is not granted (security.md §10). */
function unknown({ kind, name }: CallObject): Refusal {
  return kind === 'template' ? refusal('completion.unknown') : refusal('resource.unknown', null, { uri: name });
}

function ambiguous(owners: readonly CompiledServer[], { name }: CallObject): Refusal {
  const full = owners.map(({ slug }) => `"${fullUri(slug, name)}"`).join(', ');
  return refusal('resource.ambiguous', `Full URIs: ${full}.`, { uri: name });
}

/** One that no other server can be meant by, for http(s) too. */
function fullUri(slug: string, original: string): string {
  const exposed = exposedUri(slug, original);
  return exposed === original ? `patchbay+${slug}+${original}` : exposed;
}
