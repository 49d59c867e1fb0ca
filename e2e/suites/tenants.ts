import { startLegacyUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { callModern, post } from '../support/raw.ts';
import { until } from '../support/until.ts';

/** The wall between organisations. */
export function tenants(start: StartPlatform): void {
  let platform: TestPlatform;
  let upstream: Awaited<ReturnType<typeof startLegacyUpstream>>;
  let cookie: string;

  const OWNER = { email: 'owner@second.example', password: 'a long enough passphrase' };

  beforeAll(async () => {
    upstream = await startLegacyUpstream();
    platform = await start({ PATCHBAY_EGRESS_ALLOW: `127.0.0.1/32:${upstream.port}` });
    const created = await platform.api.call('POST', '/api/v1/orgs', { slug: 'second', name: 'Second', owner: OWNER });
    expect(created.status).toBe(201);
    cookie = await signIn();
  });

  afterAll(async () => {
    await Promise.all([platform.dispose(), upstream.close()]);
  });

  async function signIn(): Promise<string> {
    const answer = await asSecond('POST', '/api/v1/session', { organisation: 'second', email: OWNER.email, password: OWNER.password });
    expect(answer.status).toBeLessThan(300);
    return String(answer.headers.get('set-cookie')).split(';', 1)[0] ?? '';
  }

  /** The second organisation's owner, by session cookie. */
  async function asSecond(method: string, path: string, body?: unknown): ReturnType<Api['call']> {
    const base = platform.facts.apiUrl;
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        origin: base,
        'patchbay-request': '1',
        ...(cookie === undefined ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  }

  test('only an installation operator creates organisations', async () => {
    const refused = await asSecond('POST', '/api/v1/orgs', { slug: 'third', name: 'Third', owner: { ...OWNER, email: 'x@third.example' } });
    expect(refused.status).toBe(403);
  });

  test('the API of another organisation answers like one that does not exist', async () => {
    for (const path of ['/servers', '/grants', '/tokens', '/servers/everything', '/servers/everything/catalogue']) {
      const foreign = await asSecond('GET', `/api/v1/orgs/default${path}`);
      const missing = await asSecond('GET', `/api/v1/orgs/never-created${path}`);
      expect(foreign.status, path).toBe(404);
      expect({ ...foreign.body, instance: null }, path).toEqual({ ...missing.body, instance: null });
    }
  });

  test('equal slugs in two organisations stay two servers, each with its own callers', async () => {
    const registered = await asSecond('POST', '/api/v1/orgs/second/servers', {
      kind: 'streamable-http',
      slug: 'everything',
      url: upstream.url,
    });
    expect(registered.status).toBe(201);
    const grant = { subject: { kind: 'everyone' }, server: 'everything', tools: { mode: 'all' } };
    expect((await asSecond('POST', '/api/v1/orgs/second/grants', grant)).status).toBe(201);
    const minted = await asSecond('POST', '/api/v1/orgs/second/tokens', { name: 'mine' });
    expect(minted.status).toBe(201);
    const token = String(minted.body['token']);
    const call = (organisation: string, bearer: string): ReturnType<typeof callModern> =>
      callModern(platform.mcpUrl('everything', organisation), bearer, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
    await until(async () => JSON.stringify((await call('second', token)).json).includes('legacy:x'), {
      what: 'the second organisation’s server',
      timeoutMs: 15_000,
    });
    const unknown = await post(platform.mcpUrl('everything'), 'pbpat_unknown', '{}');
    const across = [
      await post(platform.mcpUrl('everything'), token, '{}'),
      await post(platform.mcpUrl('everything', 'second'), platform.facts.token, '{}'),
    ];
    for (const answer of across) expect([answer.status, answer.text]).toEqual([401, unknown.text]);
    expect((await call('default', platform.facts.token)).status).toBe(200);
  });

  test('a session of one organisation opens nothing in another', async () => {
    const initialize = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    });
    const opened = await post(platform.mcpUrl(), platform.facts.token, initialize);
    const sessionId = opened.headers.get('mcp-session-id') ?? '';
    const minted = await asSecond('POST', '/api/v1/orgs/second/tokens', { name: 'other' });
    const list = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}';
    const across = await post(platform.mcpUrl(undefined, 'second'), String(minted.body['token']), list, { 'mcp-session-id': sessionId });
    expect(across.status).toBe(404);
    const elsewhere = await post(platform.mcpUrl('memory'), platform.facts.token, list, { 'mcp-session-id': sessionId });
    expect(elsewhere.status).toBe(404);
    expect((await post(platform.mcpUrl(), platform.facts.token, list, { 'mcp-session-id': sessionId })).status).toBe(200);
  });

  test('with a second organisation, registering a stdio server is an operator’s act', async () => {
    const server = { kind: 'stdio', slug: 'mine', command: 'node', args: ['-e', '1'] };
    const refused = await asSecond('POST', '/api/v1/orgs/second/servers', server);
    expect(refused.status).toBe(403);
    expect(refused.body['code']).toBe('stdio.not_allowed');
  });

  test('with a second organisation, private addresses stay closed unless an operator opened them', async () => {
    await asSecond('POST', '/api/v1/orgs/second/servers', {
      kind: 'streamable-http',
      slug: 'inside',
      url: `${platform.facts.apiUrl}/api/v1`,
    });
    const detail = await until(
      async () => {
        const { body } = await asSecond('GET', '/api/v1/orgs/second/servers/inside');
        return body['status'] === 'unreachable' ? String(body['statusDetail']) : null;
      },
      { what: 'the refused discovery', timeoutMs: 20_000 },
    );
    expect(detail).toMatch(/may not be reached/i);
  });
}
