import { type Refusal, refusal } from '@patchbay/errors';
import { exposedName } from '@patchbay/mcp-wire';
import { methodUnknown, objectOf } from '../pipeline/call-object.ts';
import type { CallContext, CallObject, Target } from '../pipeline/context.ts';
import type { ExposedEntry } from '../snapshot/compiled.ts';
import { isPermitted } from './is-permitted.ts';
import { uriTarget } from './uri-target.ts';

/** Which server of the aggregated endpoint a message is for, and under which name of that server's own (architecture.md §3). */
export function aggregateTarget(ctx: CallContext): Target | Refusal {
  const { snapshot } = ctx;
  if (snapshot === null) return refusal('internal');
  const object = objectOf(ctx);
  if ('code' in object) return object;
  switch (object.kind) {
    case 'tool':
      return namedTarget(ctx, object, { exposed: snapshot.exposedTools, bare: snapshot.bareTools });
    case 'prompt':
      return namedTarget(ctx, object, { exposed: snapshot.exposedPrompts, bare: snapshot.barePrompts });
    case 'resource':
    case 'template':
      return uriTarget(ctx, snapshot, object);
    case 'method':
    case 'server':
      return methodUnknown(object.name);
  }
}

type Names = {
  readonly exposed: ReadonlyMap<string, ExposedEntry>;
  readonly bare: ReadonlyMap<string, readonly ExposedEntry[]>;
};

function namedTarget(ctx: CallContext, object: CallObject, { bare, exposed }: Names): Target | Refusal {
  const found = exposed.get(object.name);
  if (found !== undefined) return entryTarget(found, object);
  return liveTarget(ctx, object) ?? bareTarget(ctx, object, bare.get(object.name) ?? []);
}

/**
 * What a live server offers this caller only that server knows, listed or not: a name of its that no table has is the one that would be
 * exposed so. No slug has the separator in it, so that this reads no name in two ways.
 */
function liveTarget({ snapshot }: CallContext, { kind, name }: CallObject): Target | null {
  const server = snapshot?.serversBySlug.get(name.slice(0, Math.max(0, name.indexOf('_'))));
  if (server?.catalogueMode !== 'live' || server.catalogue === null) return null;
  const own = name.slice(server.slug.length + 1);
  return own === '' || exposedName(server.slug, own) !== name
    ? null
    : { kind: 'upstream', server, object: { kind, name: own }, upstreamName: own };
}

/**
 * A bare name stands for the tool of the server that first held it, if that is the one such tool the caller may use: a name
 * must never come to mean a different tool (architecture.md §3). `owners`: the first holder first.
 */
function bareTarget(ctx: CallContext, object: CallObject, owners: readonly ExposedEntry[]): Target | Refusal {
  const permitted = owners.filter(({ server }) => isPermitted(ctx, server, object));
  const unknown = object.kind === 'tool' ? 'tool.unknown' : 'prompt.unknown';
  const [only, second] = permitted;
  if (only === undefined) return refusal(unknown);
  const fullNames = permitted.map(({ exposedName }) => `"${exposedName}"`).join(', ');
  if (second !== undefined) return refusal('tool.ambiguous', `Full names: ${fullNames}.`);
  if (only !== owners[0]) return refusal(unknown, `Use the full name ${fullNames}.`);
  return entryTarget(only, object);
}

function entryTarget({ entry, server }: ExposedEntry, object: CallObject): Target {
  return {
    kind: 'upstream',
    server,
    object: { kind: object.kind, name: entry.name },
    upstreamName: entry.name === object.name ? null : entry.name,
  };
}
