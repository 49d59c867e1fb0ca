import { sliceMember } from '@patchbay/mcp-wire';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledEntry, CompiledServer } from '../snapshot/compiled.ts';

/** A definition is read once: entries live as long as their snapshot. */
const known = new WeakMap<CompiledEntry, boolean>();

/**
 * Whether a tool can only be called as a task of a session, which revision 2025-11-25 had and the present one has not: a client without
 * sessions is not shown it.
 */
export function needsTaskOfSession({ era }: CallContext, { catalogue }: CompiledServer, entry: CompiledEntry): boolean {
  if (era !== 'modern' || catalogue?.era !== 'legacy' || entry.kind !== 'tool') return false;
  let needs = known.get(entry);
  if (needs === undefined) {
    needs = readsRequired(entry.definition);
    known.set(entry, needs);
  }
  return needs;
}

function readsRequired(definition: Buffer): boolean {
  const span = definition.includes('"taskSupport"') ? sliceMember(definition, ['execution', 'taskSupport']) : null;
  return span !== null && definition.toString('utf8', span.start, span.end) === '"required"';
}
