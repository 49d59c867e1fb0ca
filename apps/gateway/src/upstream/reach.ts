import { type Refusal, refusal } from '@patchbay/errors';
import type { CredentialResolver } from '../credentials/resolver.ts';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import type { ResolveUpstream, Upstream } from './upstreams.ts';

export type ReachDeps = { readonly credentials: CredentialResolver; readonly resolveUpstream: ResolveUpstream };

/** A server with its credential, for messages of a session rather than calls; those take the pipeline's own steps. */
export async function reach(
  { credentials, resolveUpstream }: ReachDeps,
  ctx: Pick<CallContext, 'principal' | 'snapshot' | 'tokenHash'>,
  server: CompiledServer,
): Promise<Upstream | Refusal> {
  const { principal, snapshot, tokenHash } = ctx;
  if (principal === null || snapshot === null) return refusal('internal');
  const credential = server.hasCredential
    ? await credentials.resolve({ organisationId: principal.organisationId, tokenHash, server })
    : null;
  if (credential !== null && 'code' in credential) return credential;
  return resolveUpstream(snapshot, server, { userId: principal.userId, credential: credential?.headers ?? null });
}
