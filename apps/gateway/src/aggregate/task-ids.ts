import { type Keyring, open, seal } from '@patchbay/vault';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { isPermitted } from './is-permitted.ts';

/** A task as its server knows it, and the tool whose call began it: what grants decide on. */
export type TaskRoute = { readonly serverId: string; readonly tool: string; readonly taskId: string };

/** Task ids that name their route (SEP-2663): any pod opens one, for the caller and endpoint that the task was begun by and at. */
export type TaskIds = {
  /** Whether this caller's ids of this server's tasks are ours: where the server, or the tool, could not be known without. */
  areSealed(ctx: CallContext, server: CompiledServer): boolean;
  seal(ctx: CallContext, route: TaskRoute): string;
  /** null for what this fleet did not seal for exactly this caller and endpoint. */
  open(ctx: CallContext, sealed: string): TaskRoute | null;
};

export function makeTaskIds(sessionSealingKeys: Keyring): TaskIds {
  const keyring = sessionSealingKeys.derive('task-id');
  return {
    areSealed: (ctx, server) => ctx.endpointServer === null || !isPermitted(ctx, server, { kind: 'method', name: 'tasks/get' }),
    seal: (ctx, { serverId, taskId, tool }) => seal(keyring, JSON.stringify([serverId, tool, taskId]), contextOf(ctx)),
    open(ctx, sealed) {
      const plaintext = open(keyring, sealed, contextOf(ctx));
      if (plaintext === null) return null;
      // The seal vouches for the form: only we write it.
      const [serverId, tool, taskId] = JSON.parse(plaintext.toString('utf8')) as [string, string, string];
      return { serverId, tool, taskId };
    },
  };
}

function contextOf({ endpointServer, principal }: CallContext): string[] {
  return ['task-id', principal?.organisationId ?? '', endpointServer?.id ?? 'aggregate', principal?.userId ?? ''];
}
