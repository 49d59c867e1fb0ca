import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { INTERNAL_PATHS, PROTOCOL, type Revision } from '@patchbay/contracts';
import type { Member, Organisation } from './organisation.ts';
import { organisationEntry, tokenEntry } from './publish.ts';
import type { Signer } from './signer.ts';

export type ControlPlane = { readonly url: string; add(organisation: Organisation): void; close(): Promise<void> };

/** What every upstream is sent as its own credential. */
const CREDENTIAL = { authorization: 'Bearer what-the-upstream-wants-to-see' };

/**
 * The internal listener of a control plane, as far as a gateway asks it while its stores stand: positions, reports of pods, credentials, and
 * tokens where a store is late.
 * Not on the path of any warm call.
 */
export async function startControlPlane(signer: Signer): Promise<ControlPlane> {
  const organisations: Organisation[] = [];
  const bySlug = new Map<string, Organisation>();
  /** By the path of the question for it. */
  const tokens = new Map<string, { readonly organisation: Organisation; readonly member: Member }>();

  async function answer({ method, url = '' }: IncomingMessage): Promise<{ status: number; body?: unknown }> {
    if (url === INTERNAL_PATHS.version) return { status: 200, body: { protocol: PROTOCOL } };
    if (url === INTERNAL_PATHS.podReports && method === 'POST') return { status: 204 };
    if (url === INTERNAL_PATHS.credential && method === 'POST') return { status: 200, body: { headers: CREDENTIAL } };
    if (url === INTERNAL_PATHS.revisions) return { status: 200, body: { organisations: organisations.map(positionOf) } };
    const token = tokens.get(url);
    if (token !== undefined) {
      const { jws } = await tokenEntry(token.organisation, token.member, signer);
      return { status: 200, body: { entry: jws, revision: token.organisation.revision } };
    }
    const found = bySlug.get(url);
    if (found === undefined) return { status: 404 };
    return { status: 200, body: { entry: await organisationEntry(found, signer), revision: found.revision, epoch: 1 } };
  }

  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      void answer(request).then(({ body, status }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body));
      });
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add(organisation) {
      organisations.push(organisation);
      bySlug.set(INTERNAL_PATHS.organisation(organisation.slug), organisation);
      for (const member of organisation.members)
        tokens.set(INTERNAL_PATHS.token(organisation.id, member.tokenHash), { organisation, member });
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function positionOf({ id, revision, slug }: Organisation): { organisationId: string; slug: string; epoch: number; revision: Revision } {
  return { organisationId: id, slug, epoch: 1, revision: revision as Revision };
}
