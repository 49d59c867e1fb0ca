import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { INTERNAL_PATHS } from '@patchbay/contracts';
import { startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

let installation: Installation;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  installation = await Installation.start();
});

afterAll(async () => {
  await Promise.all(closers.map((close) => close()));
  await installation.stop();
});

const api = (method: string, path: string, body?: unknown): ReturnType<Installation['api']> => installation.api(method, path, body);

async function register(slug: string, url: string, more = {}): Promise<void> {
  expect((await api('POST', '/servers', { kind: 'streamable-http', slug, url, ...more })).status).toBe(201);
}

/** Registered, discovered by its job, and what was found. */
async function discovered(slug: string, url: string): Promise<Awaited<ReturnType<typeof api>>['body']> {
  await register(slug, url);
  await until(async () => (await api('GET', `/servers/${slug}`)).body.status !== 'pending', `discovery of ${slug}`);
  return (await api('GET', `/servers/${slug}/catalogue`)).body;
}

/** A part of the present snapshot, as a gateway gets it. */
async function partOf(kind: string, slug: string | null): Promise<string> {
  const id = slug === null ? null : (await api('GET', `/servers/${slug}`)).body.id;
  const { organisationId, parts } = await manifest();
  const { hash } = parts.find((part) => part.kind === kind && (id === null || part.key === id)) ?? { hash: 'none' };
  return (await installation.internal(INTERNAL_PATHS.part(organisationId, hash))).text;
}

async function manifest(): Promise<{ organisationId: string; needs: string[]; parts: { kind: string; key: string; hash: string }[] }> {
  const { organisationId } = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0];
  const { text: jws } = await installation.internal(INTERNAL_PATHS.manifest(organisationId));
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString());
}

const serverPartOf = async (
  slug: string,
): Promise<{ silentSince?: string; catalogueMode?: string; sampling?: string; clientProfile?: object }> =>
  JSON.parse(await partOf('server', slug));
const cataloguePart = async (slug: string): Promise<{ leftOut?: string }> =>
  JSON.parse((await partOf('catalogue', slug)).split('\n')[0] ?? '');

type Answer = (
  message: { id?: number; method: string; params?: Record<string, unknown> },
  response: ServerResponse,
  request: IncomingMessage,
) => void;

async function upstream(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => answer(text === '' ? { method: request.method ?? '' } : JSON.parse(text), response, request));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

const json = (response: ServerResponse, body: string, status = 200): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(body);
const INITIALIZED = '"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}';

/** A legacy server whose tools/list is whatever the test says. */
function legacy(list: (cursor: unknown, id: number) => string, seen: string[] = []): Promise<string> {
  return upstream((message, response) => {
    seen.push(message.method);
    if (message.method === 'initialize')
      return void response
        .writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's1' })
        .end(`{"jsonrpc":"2.0","id":${message.id},${INITIALIZED}}`);
    if (message.method === 'notifications/initialized') return void response.writeHead(202).end();
    if (message.method === 'tools/list') return json(response, list(message.params?.['cursor'], message.id ?? 0));
    if (message.method === 'DELETE') return void response.writeHead(200).end();
    return json(response, `{"jsonrpc":"2.0","id":${message.id ?? null},"error":{"code":-32601,"message":"Method not found"}}`, 400);
  });
}

test('a real server of the legacy era is found with all it offers', async () => {
  const server = await startLegacyUpstream();
  closers.push(() => server.close());
  const catalogue = await discovered('old', server.url);
  expect(catalogue).toMatchObject({ era: 'legacy', protocolVersion: '2025-11-25', error: null });
  expect(catalogue.accepted.tools.map(({ name }: { name: string }) => name)).toContain('echo');
  expect(catalogue.accepted.prompts.map(({ name }: { name: string }) => name)).toContain('greet');
  expect(catalogue.observed).toEqual(catalogue.accepted);
});

test('a real server of the modern era is found as such', async () => {
  const server = await startModernUpstream();
  closers.push(() => server.close());
  const catalogue = await discovered('new', server.url);
  expect(catalogue).toMatchObject({ era: 'modern', protocolVersion: '2026-07-28', error: null });
  expect(catalogue.accepted.tools.map(({ name }: { name: string }) => name)).toContain('echo');
});

test('a server of the legacy era is asked for its era once a day, and again when it contradicts it', async () => {
  const seen: string[] = [];
  let isModern = false;
  const url = await upstream((message, response) => {
    seen.push(message.method);
    const answer = (member: string, status = 200): void => json(response, `{"jsonrpc":"2.0","id":${message.id ?? null},${member}}`, status);
    if (message.method === 'notifications/initialized') return void response.writeHead(202).end();
    if (message.method === 'tools/list') return answer('"result":{"resultType":"complete","tools":[]}');
    if (message.method === 'server/discover' && isModern)
      return answer('"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}');
    if (message.method === 'initialize' && !isModern) return answer(INITIALIZED);
    return answer('"error":{"code":-32601,"message":"Method not found"}', 404);
  });
  const first = await discovered('changing', url);
  const again = (await api('POST', '/servers/changing/discover')).body;
  expect(again).toMatchObject({ era: 'legacy', eraProbedAt: first.eraProbedAt, error: null });
  expect(again.attemptedAt > first.attemptedAt).toBe(true);
  expect(seen.filter((method) => method === 'server/discover')).toHaveLength(1);
  isModern = true;
  const modern = (await api('POST', '/servers/changing/discover')).body;
  expect(modern).toMatchObject({ era: 'modern', error: null });
  expect(modern.eraProbedAt > first.eraProbedAt).toBe(true);
  isModern = false;
  expect((await api('POST', '/servers/changing/discover')).body).toMatchObject({ era: 'legacy', error: null });
});

test('definitions keep the server’s own bytes, pages are followed, an empty cursor is one, and the session is ended', async () => {
  const seen: string[] = [];
  const tool = '{ "name":"big",  "inputSchema":{"type":"object","maximum":12345678901234567890} }';
  const url = await legacy((cursor, id) => {
    if (cursor === undefined) return `{"jsonrpc":"2.0","id":${id},"result":{"tools":[${tool}],"nextCursor":""}}`;
    return `{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"${cursor === '' ? 'second' : 'wrong'}","inputSchema":{"type":"object"}}]}}`;
  }, seen);
  const catalogue = await discovered('paged', url);
  expect(catalogue.accepted.tools.map(({ name }: { name: string }) => name)).toEqual(['big', 'second']);
  const superuser = await installation.sql();
  const { rows } = await superuser.query(
    `select accepted from server_catalogues c join servers s on s.id = c.server_id where s.slug = 'paged'`,
  );
  await superuser.end();
  expect(String(rows[0].accepted)).toContain(tool);
  expect(seen.at(-1)).toBe('DELETE');
});

test('what is malformed, doubled or too large is left out and said; the rest is published', async () => {
  const tools = [
    '{"name":"good","inputSchema":{"type":"object"}}',
    '{"name":"good","inputSchema":{"type":"object"}}',
    '{"name":"bare"}',
    '{"inputSchema":{"type":"object"}}',
    '7',
    '{"name":"loose","inputSchema":{}}',
    '{"name":"odd","inputSchema":{"type":"object"},"description":7}',
    '{"name":"twice","inputSchema":{"type":"object"},"Name":"other"}',
    '{"name":"shaped","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}}',
    `{"name":"huge","inputSchema":{"type":"object"},"description":"${'x'.repeat(70_000)}"}`,
  ];
  const catalogue = await discovered(
    'messy',
    await legacy((_cursor, id) => `{"jsonrpc":"2.0","id":${id},"result":{"tools":[${tools.join(',')}]}}`),
  );
  expect(catalogue.accepted.tools.map(({ name }: { name: string }) => name)).toEqual(['good']);
  const { statusDetail, status } = (await api('GET', '/servers/messy')).body;
  expect(status).toBe('ready');
  expect(statusDetail).toMatch(
    /Left out: .*whose name appeared before.*without an inputSchema.*2 tools without a proper name.*larger than 64 KB/,
  );
  for (const said of [
    'malformed inputSchema (“loose”)',
    'malformed description (“odd”)',
    'twice (“twice”)',
    'malformed outputSchema (“shaped”)',
  ])
    expect(statusDetail).toContain(said);
  const part = await cataloguePart('messy');
  expect(part.leftOut).toBe(statusDetail);
});

test('what a server shows only to clients that can do something is found too, with what shows it', async () => {
  let opened = 0;
  const url = await upstream((message, response, request) => {
    const said = String(request.headers['mcp-session-id'] ?? '');
    if (message.method === 'initialize') {
      const capabilities = JSON.stringify(message.params?.['capabilities']);
      opened += 1;
      return void response
        .writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': Buffer.from(capabilities).toString('base64url') })
        .end(`{"jsonrpc":"2.0","id":${message.id},${INITIALIZED}}`);
    }
    if (message.method === 'server/discover')
      return json(response, `{"jsonrpc":"2.0","id":${message.id},"error":{"code":-32601,"message":"no"}}`, 404);
    if (message.method !== 'tools/list') return void response.writeHead(202).end();
    const declared = Buffer.from(said, 'base64url').toString();
    const names = ['plain', ...(declared.includes('sampling') ? ['think'] : []), ...(declared.includes('elicitation') ? ['ask'] : [])];
    const tools = names.map((name) => ({ name, inputSchema: { type: 'object' } }));
    return json(response, JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { tools } }));
  });
  // What everybody is offered is published first.
  await discovered('conditional', url);
  const toolsOf = async (): Promise<{ name: string; needs: string[][] }[]> =>
    (await api('GET', '/servers/conditional/catalogue')).body.accepted.tools;
  await until(async () => (await toolsOf()).length === 3, 'what only some are offered');
  expect((await toolsOf()).map(({ name, needs }) => [name, needs])).toEqual([
    ['plain', []],
    ['think', [['sampling']]],
    ['ask', [['elicitation.form'], ['elicitation.url']]],
  ]);
  // Without, with everything, with each alone, and without again.
  expect(opened).toBe(7);
});

test('a list that never ends is cut', async () => {
  let page = 0;
  const catalogue = await discovered(
    'endless',
    await legacy(
      (_cursor, id) =>
        `{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"t${(page += 1)}","inputSchema":{"type":"object"}}],"nextCursor":"${page}"}}`,
    ),
  );
  expect(catalogue.accepted.tools).toHaveLength(100);
});

test('an unchanged rediscovery makes no revision', async () => {
  const revision = async (): Promise<number> => (await installation.internal('/internal/v1/revisions')).body.organisations[0].revision;
  const before = await revision();
  expect((await api('POST', '/servers/old/discover')).body.error).toBeNull();
  expect(await revision()).toBe(before);
});

test('a bare name belongs to whoever held it first, and passes on when that one is removed', async () => {
  const url = await legacy(
    (_cursor, id) => `{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"shared_name","inputSchema":{"type":"object"}}]}}`,
  );
  await discovered('holder-one', url);
  await discovered('holder-two', url);
  const holder = async (): Promise<string> => {
    const superuser = await installation.sql();
    const { rows } = await superuser.query(
      `select s.slug from bare_names b join servers s on s.id = b.server_id where b.name = 'shared_name'`,
    );
    await superuser.end();
    return rows[0]?.slug;
  };
  expect(await holder()).toBe('holder-one');
  await api('DELETE', '/servers/holder-one');
  expect(await holder()).toBe('holder-two');
});

const FAILURES: [string, Answer, RegExp][] = [
  ['refuses us', (_message, response) => void response.writeHead(401).end(), /refused our credential \(HTTP 401\)/],
  ['breaks', (_message, response) => void response.writeHead(500).end('boom'), /HTTP 500/],
  ['is a web page', (_message, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'), /is not MCP/],
  [
    'redirects',
    (_message, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    /redirect, which is not followed/,
  ],
  ['hangs up', (_message, response) => void response.destroy(), /closed the connection/],
  [
    'speaks a revision we do not',
    (message, response) =>
      json(
        response,
        message.method === 'initialize'
          ? `{"jsonrpc":"2.0","id":${message.id},"result":{"protocolVersion":"1999-01-01","capabilities":{}}}`
          : '{}',
        message.method === 'initialize' ? 200 : 400,
      ),
    /revision “1999-01-01”/,
  ],
  [
    'says something hostile',
    (message, response) =>
      json(
        response,
        message.method === 'initialize'
          ? `{"jsonrpc":"2.0","id":${message.id},"error":{"code":-1,"message":"\\u001b[31m\\u202eevil"}}`
          : '{}',
        message.method === 'initialize' ? 200 : 404,
      ),
    /\\u\{1b\}\[31m\\u\{202e\}evil/,
  ],
];
test.each(FAILURES)('a server that %s is kept, with the reason in words', async (what, answer, words) => {
  const slug = what.replaceAll(' ', '-');
  await register(slug, await upstream(answer));
  const { body } = await api('POST', `/servers/${slug}/discover`);
  expect(body.error).toMatch(words);
  expect((await api('GET', `/servers/${slug}`)).body.status).toBe('unreachable');
});

test('a server that does not answer fails within its own timeout, and keeps what it offered before', async () => {
  let hang = false;
  const url = await upstream((message, response) => {
    if (hang) return;
    if (message.method === 'initialize') return json(response, `{"jsonrpc":"2.0","id":${message.id},${INITIALIZED}}`);
    if (message.method === 'tools/list')
      return json(response, `{"jsonrpc":"2.0","id":${message.id},"result":{"tools":[{"name":"kept","inputSchema":{"type":"object"}}]}}`);
    return void response.writeHead(message.method === 'notifications/initialized' ? 202 : 404).end();
  });
  await register('silent', url, { timeouts: { requestMs: 300 } });
  expect((await api('POST', '/servers/silent/discover')).body.error).toBeNull();
  hang = true;
  const from = performance.now();
  const { body } = await api('POST', '/servers/silent/discover');
  expect(performance.now() - from).toBeLessThan(2_000);
  expect(body.error).toMatch(/did not answer in time/);
  expect(body.accepted.tools.map(({ name }: { name: string }) => name)).toEqual(['kept']);
});

test('that a server went silent, and that it answers again, is news of one revision each; failing on is none', async () => {
  let isDown = false;
  const url = await upstream((message, response) => {
    if (isDown) return void response.writeHead(500).end();
    if (message.method === 'initialize') return json(response, `{"jsonrpc":"2.0","id":${message.id},${INITIALIZED}}`);
    if (message.method === 'tools/list')
      return json(response, `{"jsonrpc":"2.0","id":${message.id},"result":{"tools":[{"name":"kept","inputSchema":{"type":"object"}}]}}`);
    return void response.writeHead(message.method === 'notifications/initialized' ? 202 : 404).end();
  });
  const seen = (await discovered('moody', url)).discoveredAt;
  const look = async (): Promise<{ revision: number; silentSince: unknown }> => {
    await api('POST', '/servers/moody/discover');
    const { revision } = (await installation.internal('/internal/v1/revisions')).body.organisations[0];
    return { revision, silentSince: (await serverPartOf('moody')).silentSince };
  };
  const up = await look();
  expect(up.silentSince).toBeUndefined();
  isDown = true;
  const down = await look();
  expect(down).toEqual({ revision: up.revision + 1, silentSince: expect.stringMatching(/^2/) });
  expect(Date.parse(String(down.silentSince))).toBeGreaterThanOrEqual(Date.parse(seen));
  expect(await look()).toEqual(down);
  isDown = false;
  expect(await look()).toEqual({ revision: down.revision + 1, silentSince: undefined });
});

test('header values reach the server they were registered for', async () => {
  let key: unknown;
  const url = await upstream((message, response, request) => {
    key = request.headers['x-key'];
    json(response, `{"jsonrpc":"2.0","id":${message.id},"error":{"code":-32601,"message":"no"}}`, 400);
  });
  await register('keyed', url, { headers: { 'X-Key': 'the value' } });
  await api('POST', '/servers/keyed/discover');
  expect(key).toBe('the value');
});

test('whose lists a server makes is set with it, shown, and told to gateways', async () => {
  const url = await legacy((_cursor, id) => `{"jsonrpc":"2.0","id":${id},"result":{"tools":[]}}`);
  await register('moving', url, { catalogueMode: 'live' });
  expect((await api('GET', '/servers/moving')).body.catalogueMode).toBe('live');
  expect((await serverPartOf('moving')).catalogueMode).toBe('live');
  expect((await api('PATCH', '/servers/moving', { catalogueMode: 'shared' })).body.catalogueMode).toBe('shared');
  expect((await serverPartOf('moving')).catalogueMode).toBeUndefined();
  expect((await api('PATCH', '/servers/moving', { catalogueMode: 'other' })).status).toBe(400);
  expect((await api('PATCH', '/servers/moving', { catalogueMode: 'per-credential' })).body.catalogueMode).toBe('per-credential');
  expect((await serverPartOf('moving')).catalogueMode).toBe('per-credential');
  expect((await manifest()).needs).toContain('per-credential');
  expect((await api('PATCH', '/servers/moving', { catalogueMode: 'shared' })).status).toBe(200);
  expect((await manifest()).needs).not.toContain('per-credential');
  // A stdio host has the credential of what it connects to, and its callers have none.
  const connected = { kind: 'sse', slug: 'connected', url, catalogueMode: 'per-credential' };
  expect((await api('POST', '/servers', connected)).status).toBe(400);
  expect((await api('POST', '/servers', { ...connected, catalogueMode: 'live' })).status).toBe(201);
  expect((await api('PATCH', '/servers/connected', { catalogueMode: 'per-credential' })).body.errors).toMatchObject([
    { pointer: '/catalogueMode' },
  ]);
});

test('whether a server may ask for completions is set with it, shown, and told to gateways, none of which may not know it', async () => {
  const url = await legacy((_cursor, id) => `{"jsonrpc":"2.0","id":${id},"result":{"tools":[]}}`);
  await register('thrifty', url);
  expect((await api('GET', '/servers/thrifty')).body.sampling).toBe('relayed');
  expect((await serverPartOf('thrifty')).sampling).toBeUndefined();
  expect((await manifest()).needs).not.toContain('sampling');
  expect((await api('PATCH', '/servers/thrifty', { sampling: 'refused' })).body.sampling).toBe('refused');
  expect((await serverPartOf('thrifty')).sampling).toBe('refused');
  expect((await manifest()).needs).toContain('sampling');
  expect((await api('PATCH', '/servers/thrifty', { sampling: 'sometimes' })).status).toBe(400);
});

test('what the clients of an endpoint can take is set with it, shown, and told to gateways; nothing of it is left in the parts of others', async () => {
  const url = await legacy((_cursor, id) => `{"jsonrpc":"2.0","id":${id},"result":{"tools":[]}}`);
  const clientProfile = { nameLengthMax: 60, namePunctuation: '_-', toolsMax: 40 };
  await register('narrow', url, { clientProfile });
  expect((await api('GET', '/servers/narrow')).body.clientProfile).toEqual(clientProfile);
  expect((await serverPartOf('narrow')).clientProfile).toEqual(clientProfile);
  expect((await api('PATCH', '/servers/narrow', { description: 'kept' })).body.clientProfile).toEqual(clientProfile);
  // One whole: what is not in it any more has no bound.
  expect((await api('PATCH', '/servers/narrow', { clientProfile: { toolsMax: 3 } })).body.clientProfile).toEqual({ toolsMax: 3 });
  expect((await api('PATCH', '/servers/narrow', { clientProfile: {} })).body.clientProfile).toEqual({});
  expect(await serverPartOf('narrow')).not.toHaveProperty('clientProfile');

  const aggregate = async (): Promise<{ clientProfile?: object }> => JSON.parse(await partOf('organisation', null));
  expect((await api('GET', '/endpoint')).body).toEqual({
    mcpUrl: expect.stringMatching(/\/default\/mcp$/),
    clientProfile: {},
    allowedOrigins: [],
  });
  expect(await aggregate()).not.toHaveProperty('clientProfile');
  const changed = await api('PATCH', '/endpoint', { clientProfile });
  expect(changed).toMatchObject({ status: 200, body: { clientProfile } });
  expect(Number(changed.headers.get('patchbay-revision'))).toBeGreaterThan(0);
  expect((await aggregate()).clientProfile).toEqual(clientProfile);
  expect((await api('PATCH', '/endpoint', {})).body.clientProfile).toEqual(clientProfile);
  expect((await api('PATCH', '/endpoint', { clientProfile: { toolsMax: 0 } })).status).toBe(400);
  expect((await api('PATCH', '/endpoint', { clientProfile: {} })).body.clientProfile).toEqual({});
});

test('a server whose era a pod doubts is asked anew at once, though nothing it says contradicts what is known; not again soon', async () => {
  const seen: string[] = [];
  let isModern = false;
  const url = await upstream((message, response) => {
    seen.push(message.method);
    const answer = (member: string, status = 200): void => json(response, `{"jsonrpc":"2.0","id":${message.id ?? null},${member}}`, status);
    if (message.method === 'notifications/initialized') return void response.writeHead(202).end();
    if (message.method === 'tools/list') return answer('"result":{"resultType":"complete","tools":[]}');
    if (message.method === 'initialize') return answer(INITIALIZED);
    if (message.method === 'server/discover' && isModern)
      return answer('"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}');
    return answer('"error":{"code":-32601,"message":"Method not found"}', 404);
  });
  const { era } = await discovered('doubted', url);
  expect(era).toBe('legacy');
  isModern = true;
  const probes = (): number => seen.filter((method) => method === 'server/discover').length;
  const eraOf = async (): Promise<string> => (await api('GET', '/servers/doubted/catalogue')).body.era;
  const { id: serverId } = (await api('GET', '/servers/doubted')).body;
  const { organisationId } = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0];
  const superuser = await installation.sql();
  const { rows } = await superuser.query(
    `update server_catalogues set era_probed_at = era_probed_at - interval '1 minute' where server_id = $1 returning generation`,
    [serverId],
  );
  await superuser.end();
  const doubt = (generation: string, as?: string): ReturnType<Installation['internal']> =>
    installation.internal(INTERNAL_PATHS.eraDoubts, { method: 'POST', body: { organisationId, serverId, generation }, ...(as && { as }) });
  expect((await doubt(rows[0].generation, 'stdioHostSecret')).status).toBe(401);
  expect((await doubt('another')).status).toBe(204);
  expect([await eraOf(), probes()]).toEqual(['legacy', 1]);
  expect((await doubt(rows[0].generation)).status).toBe(204);
  await until(async () => (await eraOf()) === 'modern', 'the server is found to be modern');
  expect((await doubt(rows[0].generation)).status).toBe(204);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(probes()).toBe(2);
});
