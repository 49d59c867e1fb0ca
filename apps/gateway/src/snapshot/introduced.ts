import type { CompiledCatalogue } from './compiled.ts';

/** A server need not say who it is, but clients of every revision that are told of it want a name and a version: its slug is one. */
export function introduced(catalogue: CompiledCatalogue, slug: string): CompiledCatalogue {
  const { name, version } = catalogue.serverInfo;
  if (typeof name === 'string' && typeof version === 'string') return catalogue;
  const known = { name: typeof name === 'string' ? name : slug, version: typeof version === 'string' ? version : '' };
  return { ...catalogue, serverInfo: { ...catalogue.serverInfo, ...known } };
}
