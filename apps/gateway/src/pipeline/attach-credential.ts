import type { Refusal } from '@patchbay/errors';
import type { Credential, CredentialResolver } from '../credentials/resolver.ts';
import type { CallContext, Outcome, Step } from './context.ts';

export type AttachCredentialDeps = { readonly credentials: CredentialResolver };

/** The upstream's own credential is revealed here and in nobody else's step; the caller's token never travels on. */
export function makeAttachCredential({ credentials }: AttachCredentialDeps): Step {
  return function attachCredential(ctx: CallContext): Outcome | Promise<Outcome> {
    const { principal, target } = ctx;
    if (target?.kind !== 'upstream' || !target.server.hasCredential || principal === null) return undefined;
    const resolved = credentials.resolve({ organisationId: principal.organisationId, tokenHash: ctx.tokenHash, server: target.server });
    return resolved instanceof Promise ? resolved.then((late) => attach(ctx, late)) : attach(ctx, resolved);
  };
}

function attach(ctx: CallContext, resolved: Credential | Refusal): Outcome {
  if ('code' in resolved) return resolved;
  ctx.upstreamHeaders = resolved.headers;
  return undefined;
}
