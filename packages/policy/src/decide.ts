import type { Principal } from '@patchbay/contracts';
import type { Allow, CompiledGrants, SubjectGrants } from './compile-grants.ts';

/** What is asked for. `server`: may this principal know of the server at all. `method`: something that no grant can name. */
export type PolicyObject = { readonly kind: 'tool' | 'prompt' | 'resource' | 'template' | 'server' | 'method'; readonly name: string };

/** A denial's `rule` is for the audit: callers are answered as if the object did not exist. */
export type Decision = Allow | { readonly kind: 'deny'; readonly rule: 'no-grant' };

/** What a decision reads of a principal. */
type Subjects = Pick<Principal, 'subjects'>;

const NO_GRANT: Decision = { kind: 'deny', rule: 'no-grant' };

/** Denies unless a grant to one of the principal's subjects covers the object. O(subjects), allocates nothing. */
export function decide(compiled: CompiledGrants, principal: Subjects, serverId: string, object: PolicyObject): Decision {
  const bySubject = compiled.byServer.get(serverId);
  if (bySubject === undefined) return NO_GRANT;
  for (const subject of principal.subjects) {
    const held = bySubject.get(subject);
    const allow = held === undefined ? undefined : covering(held, object);
    if (allow !== undefined) return allow;
  }
  return NO_GRANT;
}

/** The ids of the servers on which the principal holds any grant. Costs O(servers × subjects). */
export function permittedServers(compiled: CompiledGrants, principal: Subjects): string[] {
  const permitted: string[] = [];
  for (const [serverId, bySubject] of compiled.byServer) {
    if (principal.subjects.some((subject) => bySubject.has(subject))) permitted.push(serverId);
  }
  return permitted;
}

/** Two principals with equal fingerprints get the same decisions from these same compiled grants: a key for memoised lists. */
export function fingerprint(compiled: CompiledGrants, principal: Subjects): string {
  return principal.subjects
    .filter((subject) => compiled.subjects.has(subject))
    .sort()
    .join(' ');
}

function covering(held: SubjectGrants, object: PolicyObject): Allow | undefined {
  if (object.kind === 'server') return held.any;
  if (held.all !== null) return held.all;
  return object.kind === 'tool' ? held.names.get(object.name) : undefined;
}
