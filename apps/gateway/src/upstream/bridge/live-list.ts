import { type Edit, type Era, isObject, legacyToolDefinition, sliceElements, sliceMember, splice } from '@patchbay/mcp-wire';
import { decidedBy } from '../../aggregate/app-pages.ts';
import { NAME_MEMBER } from '../../aggregate/expose-entry.ts';
import { isPermitted } from '../../aggregate/is-permitted.ts';
import { fitProfile, profileAt, type Relieved } from '../../methods/client-profile.ts';
import { LIST_KINDS, type ListMethod } from '../../methods/list-entries.ts';
import { LEFT_OUT_META_KEY } from '../../methods/self.ts';
import type { CallContext } from '../../pipeline/context.ts';
import type { EntryKind, ListedEntry } from '../../snapshot/compiled.ts';
import { refuseBroken } from '../judge.ts';
import type { Bridge } from './bridge.ts';
import type { UpstreamTarget } from './make-bridge.ts';

/**
 * The bridge of a list that the server makes for the caller's own session (catalogue mode `live`): as it is for who may use all of the
 * server, else without what the same `decide` that guards calls would refuse, and without what its client would reject, of which its `_meta`
 * then tells. Other calls' bridges as they are.
 */
export function fitLiveList(ctx: CallContext, target: UpstreamTarget & { readonly upstreamEra: Era }, bridge: Bridge): Bridge {
  const method = ctx.message?.method ?? '';
  if (!isList(method)) return bridge;
  const { kind, member } = LIST_KINDS[method];
  const convert = ctx.era === 'legacy' && target.upstreamEra === 'modern' && kind === 'tool' ? legacyToolDefinition : null;
  const profile = profileAt(ctx);
  const takesAnything = Object.values(profile).every((bound) => bound === undefined);
  if (convert === null && takesAnything && isPermitted(ctx, target.server, { kind: 'method', name: method })) return bridge;
  return {
    ...bridge,
    isVerbatim: false,
    answer(bytes, answered) {
      const answer = bridge.answer(bytes, answered);
      if (!Buffer.isBuffer(answer) || answered.resultSpan === null) return answer;
      const list = sliceMember(answer, ['result', member]);
      const entries = sliceElements(answer, ['result', member]);
      if (list === null || entries === null) return refuseBroken(target.server.slug, `answered ${method} without a list`);
      const visible = entries.flatMap(
        ({ end, start }) => visibleEntry(ctx, target, { kind, definition: answer.subarray(start, end) }) ?? [],
      );
      const fitted = fitProfile(visible, kind, profile);
      const kept = fitted.entries.map(({ definition }) => convert?.(definition) ?? definition);
      const replacement = Buffer.concat([OPEN, ...kept.flatMap((entry, at) => (at === 0 ? [entry] : [COMMA, entry])), CLOSE]);
      const edits = [{ ...list, replacement }, ...(fitted.leftOut === null ? [] : [leftOutEdit(answer, list.end, fitted.leftOut)])];
      return splice(
        answer,
        edits.toSorted((a, b) => a.start - b.start),
      );
    },
  };
}

const [OPEN, COMMA, CLOSE] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')];

function isList(method: string): method is ListMethod {
  return Object.hasOwn(LIST_KINDS, method);
}

/** null: not for this caller. What has no name of the right type cannot be decided on. */
function visibleEntry(
  ctx: CallContext,
  { server }: UpstreamTarget,
  { definition, kind }: { definition: Buffer; kind: EntryKind },
): ListedEntry | null {
  const span = sliceMember(definition, [NAME_MEMBER[kind]]);
  const name: unknown = span === null ? null : JSON.parse(definition.toString('utf8', span.start, span.end));
  if (typeof name !== 'string' || !isPermitted(ctx, server, decidedBy(ctx, server, { kind, name }))) return null;
  return { key: name, name, definition };
}

/** Said in the result's `_meta`, which is made behind the list where the server gives none. */
function leftOutEdit(answer: Buffer, listEnd: number, leftOut: Relieved): Edit {
  const said = `${JSON.stringify(LEFT_OUT_META_KEY)}:${JSON.stringify(leftOut)}`;
  const span = sliceMember(answer, ['result', '_meta']);
  const meta: unknown = span === null ? null : JSON.parse(answer.toString('utf8', span.start, span.end));
  if (span === null || !isObject(meta)) return { start: listEnd, end: listEnd, replacement: `,"_meta":{${said}}` };
  return { start: span.start + 1, end: span.start + 1, replacement: Object.keys(meta).length === 0 ? said : `${said},` };
}
