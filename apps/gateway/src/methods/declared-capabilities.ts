import { isObject } from '@patchbay/mcp-wire';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * What the caller declared of that which servers make their offer depend on: in its session, or with this request. Sorted, so that equal
 * sets are one text when joined; names as in `CompiledEntry.needs`.
 */
export function declaredCapabilities({ body, era, message, session }: CallContext): readonly string[] {
  const span = era === 'modern' ? (message?.clientCapabilitiesSpan ?? null) : null;
  const text = span === null ? (session?.capabilities ?? '{}') : body.toString('utf8', span.start, span.end);
  if (text === '{}') return NONE;
  const { elicitation, roots, sampling } = JSON.parse(text) as Json;
  const declared: string[] = [];
  // An empty object means forms.
  if (isObject(elicitation) && (elicitation['form'] !== undefined || elicitation['url'] === undefined)) declared.push('elicitation.form');
  if (isObject(elicitation) && elicitation['url'] !== undefined) declared.push('elicitation.url');
  if (isObject(roots)) declared.push('roots');
  if (isObject(sampling)) declared.push('sampling');
  return declared;
}

const NONE: readonly string[] = [];

/** What of it a server may know. */
export function offerable(declared: readonly string[], { sampling }: Pick<CompiledServer, 'sampling'>): readonly string[] {
  return sampling === 'relayed' ? declared : declared.filter((name) => name !== 'sampling');
}

/** Whether a client that declared these is offered what needs one of those sets. */
export function suffices(declared: readonly string[], needs: readonly (readonly string[])[]): boolean {
  return needs.length === 0 || needs.some((set) => set.every((name) => declared.includes(name)));
}
