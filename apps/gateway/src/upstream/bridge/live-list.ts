import { type Era, legacyToolDefinition, sliceElements, sliceMember, splice } from '@patchbay/mcp-wire';
import { decidedBy } from '../../aggregate/app-pages.ts';
import { NAME_MEMBER } from '../../aggregate/expose-entry.ts';
import { isPermitted } from '../../aggregate/is-permitted.ts';
import { LIST_KINDS, type ListMethod } from '../../methods/list-entries.ts';
import type { CallContext } from '../../pipeline/context.ts';
import type { EntryKind } from '../../snapshot/compiled.ts';
import { refuseBroken } from '../judge.ts';
import type { Bridge } from './bridge.ts';
import type { UpstreamTarget } from './make-bridge.ts';

/**
 * The bridge of a list that the server makes for the caller's own session (catalogue mode `live`): as it is for who may use all of the
 * server, else without what the same `decide` that guards calls would refuse. Other calls' bridges as they are.
 */
export function fitLiveList(ctx: CallContext, target: UpstreamTarget & { readonly upstreamEra: Era }, bridge: Bridge): Bridge {
  const method = ctx.message?.method ?? '';
  if (!isList(method)) return bridge;
  const { kind, member } = LIST_KINDS[method];
  const convert = ctx.era === 'legacy' && target.upstreamEra === 'modern' && kind === 'tool' ? legacyToolDefinition : null;
  if (convert === null && isPermitted(ctx, target.server, { kind: 'method', name: method })) return bridge;
  return {
    ...bridge,
    isVerbatim: false,
    answer(bytes, answered) {
      const answer = bridge.answer(bytes, answered);
      if (!Buffer.isBuffer(answer) || answered.resultSpan === null) return answer;
      const list = sliceMember(answer, ['result', member]);
      const entries = sliceElements(answer, ['result', member]);
      if (list === null || entries === null) return refuseBroken(target.server.slug, `answered ${method} without a list`);
      const kept = entries
        .map(({ end, start }) => answer.subarray(start, end))
        .filter((entry) => isVisible(ctx, target, { kind, entry }))
        .map((entry) => convert?.(entry) ?? entry);
      return splice(answer, [
        { ...list, replacement: Buffer.concat([OPEN, ...kept.flatMap((entry, at) => (at === 0 ? [entry] : [COMMA, entry])), CLOSE]) },
      ]);
    },
  };
}

const [OPEN, COMMA, CLOSE] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')];

function isList(method: string): method is ListMethod {
  return Object.hasOwn(LIST_KINDS, method);
}

/** What has no name of the right type cannot be decided on. */
function isVisible(ctx: CallContext, { server }: UpstreamTarget, { entry, kind }: { entry: Buffer; kind: EntryKind }): boolean {
  const span = sliceMember(entry, [NAME_MEMBER[kind]]);
  const name: unknown = span === null ? null : JSON.parse(entry.toString('utf8', span.start, span.end));
  return typeof name === 'string' && isPermitted(ctx, server, decidedBy(ctx, server, { kind, name }));
}
