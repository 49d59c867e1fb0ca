import { sliceMember, splice } from '@patchbay/mcp-wire';
import type { CompiledEntry, EntryKind } from '../snapshot/compiled.ts';
import { exposeAppUri } from './expose-uris.ts';

/** The member by which a list's entry is named. */
export const NAME_MEMBER: Readonly<Record<EntryKind, string>> = { tool: 'name', prompt: 'name', resource: 'uri', template: 'uriTemplate' };

/** An entry's definition as the aggregated endpoint lists it: its name or URI replaced, a tool's page too, every other byte its server's. */
export function exposeEntry({ definition, kind, name }: CompiledEntry, serverSlug: string, exposed: string): Buffer {
  const span = exposed === name ? null : sliceMember(definition, [NAME_MEMBER[kind]]);
  const renamed = span === null ? definition : splice(definition, [{ ...span, replacement: JSON.stringify(exposed) }]);
  return kind === 'tool' ? exposeAppUri(renamed, serverSlug) : renamed;
}
