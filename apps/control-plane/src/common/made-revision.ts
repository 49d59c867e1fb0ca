import { AsyncLocalStorage } from 'node:async_hooks';
import type { Revision } from '@patchbay/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Names the revision that a write made, so that a script can wait for it (`GET …/rollout?revision=`). */
const HEADER = 'patchbay-revision';

type Made = { revision: Revision | null };

const current = new AsyncLocalStorage<Made>();
const ofRequest = new WeakMap<FastifyRequest, Made>();

/** Answers every request that made a revision with the header. */
export function tellMadeRevisions(instance: FastifyInstance): void {
  // The last hook before the handler: reading the body would lose the context.
  instance.addHook('preHandler', (request, _reply, done) => {
    const made: Made = { revision: null };
    ofRequest.set(request, made);
    current.run(made, done);
  });
  instance.addHook('onSend', async (request, reply) => {
    const revision = ofRequest.get(request)?.revision ?? null;
    if (revision !== null) reply.header(HEADER, String(revision));
  });
}

/** The request at work has made this revision; outside of one nothing happens. */
export function madeRevision(revision: Revision): void {
  const made = current.getStore();
  if (made !== undefined) made.revision = revision;
}
