import type { LimitsPart, Principal } from '@patchbay/contracts';
import { subjectKey } from '@patchbay/policy';
import type { CallObject } from '../pipeline/context.ts';
import type { CounterSet } from './counter-set.ts';

type Limit = LimitsPart['limits'][number];

/** One limit as calls look at it. */
export type LimitRule = Pick<Limit, 'id' | 'name' | 'mode' | 'windows' | 'concurrency'> & {
  readonly per: ReadonlySet<Limit['per'][number]>;
  /** As in a principal's `subjects`; null: anybody's. */
  readonly subject: string | null;
  readonly tokenId: string | null;
  readonly tool: string | null;
};

/** Rules of one server, and the counters they came to for each caller and tool. */
export type ServerLimits = {
  readonly rules: readonly LimitRule[];
  /** By caller and tool (null: what is no tool). Keys are made once; the callers are those of the token cache and go with it. */
  readonly sets: WeakMap<Principal, Map<string | null, CounterSet>>;
};

/** The limits of one organisation as tables: a call looks only at those that can apply to its server. */
export type CompiledLimits = { ofServer(serverId: string): ServerLimits };

/** Costs O(limits) once for each change of the limits, so that a call looks a few things up. null when nothing is limited. */
export function compileLimits(limits: LimitsPart['limits']): CompiledLimits | null {
  if (limits.length === 0) return null;
  const rules = limits.map((limit) => ({ only: limit.applies.serverId, rule: ruleOf(limit) }));
  const byServer = new Map<string, ServerLimits>();
  return {
    ofServer(serverId) {
      let known = byServer.get(serverId);
      if (known === undefined) {
        const own = rules.filter(({ only }) => only === null || only === serverId).map(({ rule }) => rule);
        known = { rules: own, sets: new WeakMap() };
        byServer.set(serverId, known);
      }
      return known;
    },
  };
}

function ruleOf({ id, name, mode, per, applies, windows, concurrency }: Limit): LimitRule {
  const subject = applies.subject === null ? null : subjectKey(applies.subject);
  return { id, name, mode, windows, concurrency, per: new Set(per), subject, tokenId: applies.tokenId, tool: applies.tool };
}

/** Whether a rule of this server counts the calls of this caller about this object. */
export function appliesTo(
  { subject, tokenId, tool }: LimitRule,
  principal: { readonly subjects: readonly string[]; readonly tokenId: string },
  object: CallObject,
): boolean {
  if (subject !== null && !principal.subjects.includes(subject)) return false;
  if (tokenId !== null && tokenId !== principal.tokenId) return false;
  return tool === null || (object.kind === 'tool' && object.name === tool);
}

/** Which of a rule's counters counts this call: one for each combination of what the rule counts apart. */
export function counterKey(
  { id, per }: LimitRule,
  { userId, tokenId }: { readonly userId: string; readonly tokenId: string },
  serverId: string,
  object: CallObject,
): string {
  let key: string = id;
  if (per.has('user')) key += ` user ${userId}`;
  if (per.has('token')) key += ` token ${tokenId}`;
  if (per.has('server') || per.has('tool')) key += ` server ${serverId}`;
  // Last, because it is the upstream's own text.
  if (per.has('tool') && object.kind === 'tool') key += ` tool ${object.name}`;
  return key;
}
