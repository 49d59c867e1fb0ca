import { type Era, hasObjectOutput, knowsAllContent, legacyStructuredContent, olderContent } from '@patchbay/mcp-wire';
import type { CallContext } from '../../pipeline/context.ts';
import type { CompiledEntry } from '../../snapshot/compiled.ts';
import type { Bridge } from './bridge.ts';
import type { UpstreamTarget } from './make-bridge.ts';

/** A target, and in which era its server is spoken to. */
type Reached = UpstreamTarget & { readonly upstreamEra: Era };

/**
 * The bridge of a call whose answer may hold what the client's revision cannot parse; else the bridge as it is. A legacy server negotiated
 * its revision with the client of its own endpoint itself, so that answers pass there as they are.
 */
export function fitRevision(ctx: CallContext, target: Reached, bridge: Bridge): Bridge {
  const { endpointServer, era, message, protocolVersion, session } = ctx;
  const isModernServer = target.upstreamEra === 'modern';
  if (era === 'modern' || message === null || (!isModernServer && endpointServer !== null && session !== null)) return bridge;
  const { method } = message;
  const isOlder = !knowsAllContent(protocolVersion) && (method === 'tools/call' || method === 'prompts/get');
  const hasOutput = isModernServer && method === 'tools/call';
  if (!isOlder && !hasOutput) return bridge;
  return {
    ...bridge,
    answer(bytes, answered) {
      const answer = bridge.answer(bytes, answered);
      if (!Buffer.isBuffer(answer)) return answer;
      const fitting = isOlder ? olderContent(answer, method, protocolVersion) : answer;
      return hasOutput ? legacyStructuredContent(fitting, isWrapped(target)) : fitting;
    },
  };
}

/** A definition is read once: entries live as long as their snapshot. */
const wrapped = new WeakMap<CompiledEntry, boolean>();

function isWrapped({ object, server }: UpstreamTarget): boolean {
  const entry = server.catalogue?.tools.get(object.name);
  if (entry === undefined) return false;
  let known = wrapped.get(entry);
  if (known === undefined) {
    known = !hasObjectOutput(entry.definition);
    wrapped.set(entry, known);
  }
  return known;
}
