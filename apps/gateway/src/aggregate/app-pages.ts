import type { CallContext, CallObject } from '../pipeline/context.ts';
import type { CompiledCatalogue, CompiledServer } from '../snapshot/compiled.ts';
import { appUriOf } from './expose-uris.ts';
import { isPermitted } from './is-permitted.ts';

const APP_SCHEME = 'ui://';
const NONE: readonly string[] = [];
/** Page → the tools that show it. A catalogue is read once: it lives as long as its part. */
const known = new WeakMap<CompiledCatalogue, ReadonlyMap<string, readonly string[]>>();

/**
 * What grants decide on for this object: a page of an app goes with the tools that show it (security.md §11), so that whoever may use one
 * of them may have its page. Everything else is decided by itself.
 */
export function decidedBy(ctx: CallContext, server: CompiledServer, object: CallObject): CallObject {
  if (object.kind !== 'resource' || !object.name.startsWith(APP_SCHEME) || isPermitted(ctx, server, object)) return object;
  for (const name of toolsShowing(server.catalogue, object.name)) {
    const tool = { kind: 'tool', name } as const;
    if (isPermitted(ctx, server, tool)) return tool;
  }
  return object;
}

function toolsShowing(catalogue: CompiledCatalogue | null, page: string): readonly string[] {
  if (catalogue === null) return NONE;
  let pages = known.get(catalogue);
  if (pages === undefined) {
    pages = pagesOf(catalogue);
    known.set(catalogue, pages);
  }
  return pages.get(page) ?? NONE;
}

function pagesOf({ tools }: CompiledCatalogue): ReadonlyMap<string, readonly string[]> {
  const pages = new Map<string, string[]>();
  for (const { definition, name } of tools.values()) {
    for (const page of appUriOf(definition)) pages.set(page, [...(pages.get(page) ?? []), name]);
  }
  return pages;
}
