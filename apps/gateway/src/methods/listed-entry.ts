import { legacyToolDefinition } from '@patchbay/mcp-wire';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledEntry, CompiledServer } from '../snapshot/compiled.ts';

/** An entry as the caller's era can read it: one that it cannot would cost it the whole list. */
export function listedEntry({ era }: CallContext, { catalogue }: CompiledServer, entry: CompiledEntry): CompiledEntry {
  if (era === 'modern' || catalogue?.era !== 'modern' || entry.kind !== 'tool') return entry;
  const definition = legacyToolDefinition(entry.definition);
  return definition === entry.definition ? entry : { ...entry, definition };
}
