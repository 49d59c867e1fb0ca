import { type CatalogueEntryKind, definitionProblem } from '@patchbay/contracts';
import { paramAnnotations, type Era } from '@patchbay/mcp-wire';

/** What keeps a definition from being listed, to be read after the kind of entry; null when it is well formed. */
export function problemOf(kind: CatalogueEntryKind, definition: Record<string, unknown>, era: Era): string | null {
  const problem = definitionProblem(kind, definition, era);
  if (problem !== null || kind !== 'tool' || era === 'legacy') return problem;
  return paramAnnotations(definition['inputSchema']).ok ? null : 'with a broken x-mcp-header';
}
