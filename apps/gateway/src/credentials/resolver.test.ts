import { OrganisationId } from '@patchbay/contracts';
import { describe, expect, it } from 'vitest';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { type CredentialCall, makeCredentialResolver } from './resolver.ts';

const ORGANISATION = OrganisationId.parse('6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11');

function callOf(tokenHash: string, generation = 'g1'): CredentialCall {
  const server = { id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12', slug: 'files', generation, hasCredential: true } as CompiledServer;
  return { organisationId: ORGANISATION, tokenHash, server };
}

function released(headers: Record<string, string>): { status: number; body: Buffer } {
  return { status: 200, body: Buffer.from(JSON.stringify({ headers })) };
}

/** A control plane that counts what it is asked and answers what the test says. */
function controlPlane(answer: (asked: Record<string, string>) => Promise<{ status: number; body: Buffer }>): {
  post: (path: string, body: string) => Promise<{ status: number; body: Buffer }>;
  asked: Record<string, string>[];
} {
  const asked: Record<string, string>[] = [];
  return {
    asked,
    post: (_path, body) => {
      const request = JSON.parse(body) as Record<string, string>;
      asked.push(request);
      return answer(request);
    },
  };
}

describe('a credential', () => {
  it('is asked for once by a token, however many calls want it at once', async () => {
    const { asked, post } = controlPlane(async () => released({ Authorization: 'Bearer up' }));
    const resolver = makeCredentialResolver({ post });
    const answers = await Promise.all([resolver.resolve(callOf('t1')), resolver.resolve(callOf('t1'))]);
    expect(answers).toEqual([{ headers: { authorization: 'Bearer up' } }, { headers: { authorization: 'Bearer up' } }]);
    expect(resolver.resolve(callOf('t1'))).toEqual({ headers: { authorization: 'Bearer up' } });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ tokenHash: 't1', generation: 'g1' });
  });

  it('is released to each token anew', async () => {
    const { asked, post } = controlPlane(async ({ tokenHash }) =>
      tokenHash === 't1' ? released({ 'x-key': 'k' }) : { status: 403, body: Buffer.alloc(0) },
    );
    const resolver = makeCredentialResolver({ post });
    expect(await resolver.resolve(callOf('t1'))).toEqual({ headers: { 'x-key': 'k' } });
    expect(await resolver.resolve(callOf('t2'))).toMatchObject({ code: 'upstream.credential_unavailable' });
    expect(asked).toHaveLength(2);
  });

  it('of another generation is another', async () => {
    const { post } = controlPlane(async ({ generation }) => released({ 'x-key': generation ?? '' }));
    const resolver = makeCredentialResolver({ post });
    expect(await resolver.resolve(callOf('t1', 'g1'))).toEqual({ headers: { 'x-key': 'g1' } });
    expect(await resolver.resolve(callOf('t1', 'g2'))).toEqual({ headers: { 'x-key': 'g2' } });
  });

  it('that this pod does not hold is refused by name while the control plane is away', async () => {
    const resolver = makeCredentialResolver({ post: () => Promise.reject(new Error('away')) });
    const refused = await resolver.resolve(callOf('t1'));
    expect(refused).toMatchObject({ code: 'upstream.credential_unavailable' });
    expect(JSON.stringify(refused)).toContain('files');
  });

  it('that this pod holds serves while the control plane is away', async () => {
    let isAway = false;
    const { post } = controlPlane(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(released({ 'x-key': 'k' }))));
    const resolver = makeCredentialResolver({ post });
    await resolver.resolve(callOf('t1'));
    isAway = true;
    expect(await resolver.resolve(callOf('t2'))).toEqual({ headers: { 'x-key': 'k' } });
  });

  it('is forgotten when dropped, also while an older answer is on its way', async () => {
    let answerFirst: (answer: { status: number; body: Buffer }) => void = () => undefined;
    let calls = 0;
    const { post } = controlPlane(() => {
      calls += 1;
      return calls === 1 ? new Promise((resolve) => (answerFirst = resolve)) : Promise.resolve(released({ 'x-key': 'new' }));
    });
    const resolver = makeCredentialResolver({ post });
    const first = resolver.resolve(callOf('t1'));
    resolver.drop(ORGANISATION, callOf('t1').server.id);
    answerFirst(released({ 'x-key': 'old' }));
    await first;
    expect(await resolver.resolve(callOf('t1'))).toEqual({ headers: { 'x-key': 'new' } });
  });

  it("cannot take the place of the gateway's own headers", async () => {
    const { post } = controlPlane(async () =>
      released({ Host: 'evil', 'Mcp-Session-Id': 's', 'content-length': '1', 'transfer-encoding': 'chunked', 'X-Key': 'k' }),
    );
    expect(await makeCredentialResolver({ post }).resolve(callOf('t1'))).toEqual({ headers: { 'x-key': 'k' } });
  });
});
