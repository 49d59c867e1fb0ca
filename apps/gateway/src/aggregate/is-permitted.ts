import { decide, type PolicyObject } from '@patchbay/policy';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';

/** What `authorize` will say of this object, for choosing among servers: one that the caller may not use must not show in a choice. */
export function isPermitted({ principal, snapshot }: CallContext, server: CompiledServer, object: PolicyObject): boolean {
  return principal !== null && snapshot !== null && decide(snapshot.grants, principal, server.id, object).kind === 'allow';
}
