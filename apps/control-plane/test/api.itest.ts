import { Catalogue, Grant, MASK, MintedToken, Organisation, Problem, Server, Session, Token } from '@patchbay/contracts';
import { Validator } from '@seriousme/openapi-schema-validator';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Installation, until } from './support/installation.ts';

let installation: Installation;
let admin: Record<string, string>;
const api = (method: string, path: string, body?: unknown): ReturnType<Installation['api']> => installation.api(method, path, body);
const HTTP = { kind: 'streamable-http', url: 'http://127.0.0.1:9/mcp' };

const STDIO = { kind: 'stdio', command: 'node' };
const MANY = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`V${index}`, 'x']));

beforeAll(async () => {
  installation = await Installation.start();
  admin = await installation.signIn('default', installation.first.adminEmail, installation.first.adminPassword);
  // From here on the list of servers changes by requests alone.
  await until(async () => !(await api('GET', '/servers')).text.includes('"pending"'), 'the first discovery of the examples');
});

afterAll(() => installation.stop());

describe('a request that is wrong', () => {
  const cases: [string, unknown, [status: number, code: string, pointer: string | null]][] = [
    ['a URL of another scheme', { ...HTTP, slug: 'a', url: 'ftp://x' }, [400, 'api.validation', '/url']],
    ['credentials in the URL', { ...HTTP, slug: 'a', url: 'http://u:p@x.example/' }, [400, 'api.validation', '/url']],
    ['a reserved slug', { ...HTTP, slug: 'mcp' }, [400, 'api.validation', '/slug']],
    ['a malformed slug', { ...HTTP, slug: 'Upper' }, [400, 'api.validation', '/slug']],
    ['a taken slug', { ...HTTP, slug: 'memory' }, [409, 'api.conflict', '/slug']],
    ['an unknown field', { ...HTTP, slug: 'a', colour: 'red' }, [400, 'api.validation', '/colour']],
    ['an unknown nested field', { ...HTTP, slug: 'a', timeouts: { connectMs: 1 } }, [400, 'api.validation', '/timeouts/connectMs']],
    ['an unknown kind', { kind: 'pigeon', slug: 'a' }, [400, 'api.validation', '/kind']],
    ['a header value with a line end', { ...HTTP, slug: 'a', headers: { 'X-A': 'a\r\nb' } }, [400, 'api.validation', '/headers/X-A']],
    ['a header that we set ourselves', { ...HTTP, slug: 'a', headers: { Host: 'x' } }, [400, 'api.validation', '/headers/Host']],
    ['one header in two spellings', { ...HTTP, slug: 'a', headers: { 'X-A': '1', 'x-a': '2' } }, [400, 'api.validation', '/headers']],
    ['a variable with a NUL', { ...STDIO, slug: 'a', env: { A: 'a\0b' } }, [400, 'api.validation', '/env/A']],
    ['a variable that is no name', { ...STDIO, slug: 'a', env: { 'A=B': 'x' } }, [400, 'api.validation', '/env/A=B']],
    ['more variables than a server needs', { ...STDIO, slug: 'a', env: MANY }, [400, 'api.validation', '/env']],
    ['a NUL in a description', { ...HTTP, slug: 'a', description: 'a\0' }, [400, 'api.validation', '/description']],
    ['a NUL in a tag', { ...HTTP, slug: 'a', tags: ['a\0'] }, [400, 'api.validation', '/tags/0']],
    [
      'half a character',
      `{"kind":"streamable-http","url":"http://x/","slug":"a","description":"\\ud800"}`,
      [400, 'api.validation', '/description'],
    ],
    ['no body', undefined, [400, 'api.validation', '']],
    ['half a document', '{"kind":', [400, 'api.validation', '']],
    ['a forged prototype', '{"__proto__":{"slug":"a"}}', [400, 'api.validation', '']],
    ['more than a mebibyte', `"${'x'.repeat(1_100_000)}"`, [413, 'http.body_too_large', null]],
  ];
  test.each(cases)('%s is answered with a problem document, and nothing is written', async (_what, body, [status, code, pointer]) => {
    const before = (await api('GET', '/servers')).text;
    const answer = await api('POST', '/servers', body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    const problem = Problem.parse(answer.body);
    expect(problem).toMatchObject({ status, code });
    if (pointer !== null) expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
    expect((await api('GET', '/servers')).text).toBe(before);
  });

  const changes: [string, string, unknown, string][] = [
    ['a header value with a line end', 'changed', { headers: { 'X-A': 'a\r\nb' } }, '/headers/X-A'],
    ['a header value outside ASCII', 'changed', { headers: { 'X-A': 'é' } }, '/headers/X-A'],
    ['a header that we set ourselves', 'changed', { headers: { 'Transfer-Encoding': 'x' } }, '/headers/Transfer-Encoding'],
    ['a variable that is no name', 'memory', { env: { 'A=B': 'x' } }, '/env/A=B'],
    ['a variable with a NUL', 'memory', { env: { A: '\0' } }, '/env/A'],
  ];
  test.each(changes)('a change is held to the rules of a registration: %s', async (_what, slug, change, pointer) => {
    await api('POST', '/servers', { ...HTTP, slug: 'changed' });
    const before = (await api('GET', `/servers/${slug}`)).body.updatedAt;
    const answer = await api('PATCH', `/servers/${slug}`, change);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect((await api('GET', `/servers/${slug}`)).body.updatedAt).toBe(before);
  });

  test('values do not add up past the limit over many changes', async () => {
    const headers = (letter: string): object => Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`${letter}-${index}`, 'x']));
    await api('POST', '/servers', { ...HTTP, slug: 'growing', headers: headers('a') });
    expect((await api('PATCH', '/servers/growing', { headers: headers('b') })).body.errors[0].pointer).toBe('/headers');
    expect(Object.keys((await api('GET', '/servers/growing')).body.headers)).toHaveLength(40);
  });

  test('an address that cannot be decoded, or with a NUL, is nothing of ours and no fault of ours', async () => {
    for (const path of ['/servers/a%00b', '/servers/%', '/servers/%zz', '/servers/%ff']) {
      const answer = await api('GET', path);
      expect(answer.status, path).toBe(404);
      expect(Problem.parse(answer.body).code).toMatch(/not_found$/);
    }
    expect((await api('DELETE', '/servers/%00')).status).toBe(404);
    expect((await api('POST', '/tokens', { name: 'a\0' })).body.errors[0].pointer).toBe('/name');
  });

  test('another media type is 415, an unknown address 404, another method 405 with Allow', async () => {
    const headers = { authorization: `Bearer ${installation.first.apiToken}`, 'content-type': 'text/plain' };
    expect((await installation.call('POST', '/api/v1/orgs/default/servers', { headers, body: '{}' })).body.code).toBe('http.media_type');
    expect((await installation.call('GET', '/nowhere')).body).toMatchObject({ status: 404, code: 'http.not_found' });
    const put = await api('PUT', '/servers/memory', {});
    expect(put.body).toMatchObject({ status: 405, code: 'http.method' });
    expect(put.headers.get('allow')).toContain('PATCH');
    expect((await api('GET', '/servers?limit=0')).body.errors[0].pointer).toBe('/limit');
    expect((await api('GET', '/servers?cursor=!!')).body.errors[0].pointer).toBe('/cursor');
    expect((await api('GET', '/servers?page=2')).status).toBe(400);
  });

  test('a body is not read before it is known who sends it', async () => {
    const { apiToken } = installation.first;
    const head = (path: string, more: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${installation.apiPort}\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n${more}\r\n`;
    for (const [path, more, expected] of [
      ['/api/v1/orgs/default/servers', '', 'HTTP/1.1 401 '],
      ['/api/v1/orgs/default/servers', `Authorization: Bearer ${apiToken.slice(0, -1)}\r\n`, 'HTTP/1.1 401 '],
      ['/api/v1/orgs/default/servers', `Cookie: patchbay_session=${'x'.repeat(43)}\r\n`, 'HTTP/1.1 403 '],
      ['/api/v1/session', '', 'HTTP/1.1 403 '],
      ['/api/v1/orgs/default/servers', `Authorization: Bearer ${apiToken}\r\n`, ''],
    ] as const) {
      expect((await installation.raw(head(path, more))).slice(0, expected.length || 1), path + more).toBe(expected);
    }
  });

  test('another Host is 421, so that a rebound name reaches nothing', async () => {
    const status = await new Promise((resolve, reject) => {
      request(
        { port: installation.apiPort, host: '127.0.0.1', path: '/api/docs', headers: { host: `evil.example:${installation.apiPort}` } },
        (response) => resolve(response.statusCode),
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(421);
  });
});

describe('servers', () => {
  test('secret values are write-only, and change by name', async () => {
    const created = await api('POST', '/servers', {
      ...HTTP,
      slug: 'secretive',
      headers: { 'X-Key': 'hunter2-value', 'X-Other': 'other' },
    });
    expect(created.status).toBe(201);
    const server = Server.parse(created.body);
    expect(server).toMatchObject({
      headers: { 'X-Key': MASK, 'X-Other': MASK },
      status: 'pending',
      mcpUrl: expect.stringMatching(/\/default\/secretive\/mcp$/),
    });
    const changed = await api('PATCH', '/servers/secretive', { headers: { 'x-key': 'hunter3-value', 'X-Other': null } });
    expect(changed.body.headers).toEqual({ 'x-key': MASK });
    const superuser = await installation.sql();
    const { rows } = await superuser.query('select sealed from server_secrets');
    await superuser.end();
    expect(JSON.stringify(rows)).not.toContain('hunter');
    expect(installation.output).not.toContain('hunter');
  });

  test('moving to another origin drops header values and says so; moving within it keeps them', async () => {
    await api('POST', '/servers', { ...HTTP, slug: 'moving', headers: { 'X-Key': 'value' } });
    expect((await api('PATCH', '/servers/moving', { url: 'http://127.0.0.1:9/other' })).body).toMatchObject({
      headers: { 'X-Key': MASK },
      statusDetail: null,
    });
    const moved = (await api('PATCH', '/servers/moving', { url: 'http://127.0.0.1:10/mcp' })).body;
    expect(moved.headers).toEqual({});
    expect(moved.statusDetail).toMatch(/dropped and have to be typed again/);
    expect((await api('PATCH', '/servers/moving', { headers: { 'X-Key': 'again' } })).body).toMatchObject({ headers: { 'X-Key': MASK } });
  });

  test('a server that cannot be reached is registered all the same and says why in words', async () => {
    await api('POST', '/servers', { ...HTTP, slug: 'absent' });
    const catalogue = await api('POST', '/servers/absent/discover');
    expect(catalogue.status).toBe(200);
    expect(Catalogue.parse(catalogue.body).error).toMatch(/could not be reached\. Nothing listens/);
    expect((await api('GET', '/servers/absent')).body).toMatchObject({
      status: 'unreachable',
      statusDetail: expect.stringMatching(/could not be reached/),
    });
  });

  test('one of our own listeners is never an upstream', async () => {
    await api('POST', '/servers', { ...HTTP, slug: 'inward', url: `${installation.url}/api/docs` });
    expect((await api('POST', '/servers/inward/discover')).body.error).toMatch(/may not be reached from here/);
  });

  test('removing a server removes its grants; it is gone afterwards', async () => {
    await api('POST', '/servers', { ...HTTP, slug: 'leaving' });
    const grant = Grant.parse(
      (await api('POST', '/grants', { subject: { kind: 'everyone' }, server: 'leaving', tools: { mode: 'names', names: ['a', 'a'] } }))
        .body,
    );
    expect(grant.tools).toEqual({ mode: 'names', names: ['a'] });
    expect((await api('DELETE', '/servers/leaving')).status).toBe(204);
    expect((await api('GET', '/grants')).text).not.toContain(grant.id);
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['GET', '/catalogue'],
      ['GET', '/processes'],
      ['POST', '/discover'],
    ] as const) {
      expect((await api(method, `/servers/leaving${path}`, method === 'PATCH' ? {} : undefined)).body.code, method + path).toBe(
        'api.not_found',
      );
    }
  });

  test('fields of the other kind are refused by name', async () => {
    expect((await api('PATCH', '/servers/memory', { url: 'http://x.example/' })).body.errors[0].pointer).toBe('/url');
    expect((await api('PATCH', '/servers/secretive', { command: 'sh' })).body.errors[0].pointer).toBe('/command');
  });

  test('lists come in pages that join without gap or repetition', async () => {
    const all = z
      .object({ items: z.array(Server) })
      .parse((await api('GET', '/servers')).body)
      .items.map(({ slug }) => slug);
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { items, nextCursor }: { items: { slug: string }[]; nextCursor: string | null } = (
        await api('GET', `/servers?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      ).body;
      paged.push(...items.map(({ slug }) => slug));
      cursor = nextCursor;
    }
    expect(paged).toEqual(all);
  });
});

describe('signing in', () => {
  test('gives a cookie no script can read, and the session says who it is', async () => {
    const answer = await installation.call('GET', '/api/v1/session', { headers: admin });
    expect(Session.parse(answer.body)).toMatchObject({ organisation: 'default', user: { role: 'owner', operator: true } });
    const { rows } = await (await installation.sql()).query('select secret_hash from sessions');
    expect(JSON.stringify(rows)).not.toContain(admin['cookie']?.split('=')[1]);
  });

  test('an unknown organisation, email and a wrong password are one answer, byte for byte', async () => {
    const headers = { origin: installation.url, 'patchbay-request': '1' };
    const answers = await Promise.all(
      [
        { organisation: 'nowhere', email: installation.first.adminEmail, password: 'x' },
        { organisation: 'default', email: 'nobody@example.com', password: 'x' },
        { organisation: 'default', email: installation.first.adminEmail, password: 'x' },
      ].map((body) => installation.call('POST', '/api/v1/session', { headers, body })),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
  });

  test('too many tries are refused before the password is looked at', async () => {
    const headers = { origin: installation.url, 'patchbay-request': '1' };
    const statuses: number[] = [];
    for (let tries = 0; tries < 12; tries += 1) {
      statuses.push(
        (await installation.call('POST', '/api/v1/session', { headers, body: { email: 'victim@example.com', password: 'x' } })).status,
      );
    }
    expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
    expect(statuses.slice(10)).toEqual([429, 429]);
  });

  test('a flood is turned away with 503 instead of waiting without end', async () => {
    const headers = { origin: installation.url, 'patchbay-request': '1' };
    const flood = Array.from({ length: 120 }, (_, k) =>
      installation.call('POST', '/api/v1/session', { headers, body: { email: `flood${k}@example.com`, password: 'x' } }),
    );
    const answers = await Promise.all(flood);
    const byStatus = Map.groupBy(answers, ({ status }) => status);
    expect([...byStatus.keys()].sort((a, b) => a - b)).toEqual([401, 503]);
    expect(byStatus.get(503)?.[0]?.body.code).toBe('http.overloaded');
    expect(byStatus.get(401)?.length).toBeGreaterThanOrEqual(34);
    await installation.signIn('default', installation.first.adminEmail, installation.first.adminPassword);
  });

  test('a foreign page cannot use the cookie, with or without the header', async () => {
    const path = '/api/v1/orgs/default/servers';
    const body = { ...HTTP, slug: 'forged' };
    for (const headers of [
      { ...admin, origin: 'https://evil.example' },
      { cookie: admin['cookie'] ?? '', origin: installation.url },
      { cookie: admin['cookie'] ?? '', 'patchbay-request': '1' },
      { ...admin, origin: 'null' },
    ]) {
      expect((await installation.call('POST', path, { headers, body })).body.code).toBe('auth.cross_site');
    }
    const answer = await installation.call('GET', path, { headers: admin });
    expect(answer.status).toBe(200);
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('signing out ends the session', async () => {
    const second = await installation.signIn('default', installation.first.adminEmail, installation.first.adminPassword);
    expect((await installation.call('DELETE', '/api/v1/session', { headers: second })).status).toBe(204);
    expect((await installation.call('GET', '/api/v1/session', { headers: second })).status).toBe(401);
  });
});

describe('tokens', () => {
  test('are shown once, listed by hint, revoked for good', async () => {
    const minted = MintedToken.parse((await api('POST', '/tokens', { name: 'laptop' })).body);
    const listed = z
      .object({ items: z.array(Token) })
      .parse((await api('GET', '/tokens')).body)
      .items.find(({ id }) => id === minted.id);
    expect(listed).toMatchObject({ name: 'laptop', hint: minted.hint, revokedAt: null });
    expect(JSON.stringify(listed)).not.toContain(minted.token);
    expect((await api('DELETE', `/tokens/${minted.id}`)).status).toBe(204);
    expect((await api('DELETE', `/tokens/${minted.id}`)).status).toBe(204);
    expect((await api('DELETE', '/tokens/not-an-id')).status).toBe(404);
  });

  test('one that opens MCP opens nothing of the API', async () => {
    for (const token of [installation.first.token, 'nonsense', `${installation.first.apiToken.slice(0, -1)}0`]) {
      const answer = await installation.call('GET', '/api/v1/orgs/default/servers', { headers: { authorization: `Bearer ${token}` } });
      expect(answer.body.code).toBe('auth.signed_out');
    }
  });
});

test('another first start replaces its own tokens and the password, and nothing else', async () => {
  const before = (await api('GET', '/servers')).body.items.map(({ slug }: { slug: string }) => slug);
  const old = installation.first;
  installation.first = JSON.parse(await installation.run('first-start.js'));
  expect(
    (await installation.call('GET', '/api/v1/orgs/default/servers', { headers: { authorization: `Bearer ${old.apiToken}` } })).status,
  ).toBe(401);
  expect((await api('GET', '/servers')).body.items.map(({ slug }: { slug: string }) => slug)).toEqual(before);
  expect((await installation.call('GET', '/api/v1/session', { headers: admin })).status).toBe(401);
  await expect(installation.signIn('default', old.adminEmail, old.adminPassword)).rejects.toThrow(/401/);
});

test('the OpenAPI document is valid and names every route', async () => {
  const { body } = await installation.call('GET', '/api/openapi.json');
  const result = await new Validator().validate(structuredClone(body));
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  expect(body.openapi).toBe('3.1.0');
  const routes = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  expect(routes.sort()).toEqual([
    'delete /api/v1/orgs/{org}/grants/{id}',
    'delete /api/v1/orgs/{org}/limits/{id}',
    'delete /api/v1/orgs/{org}/servers/{slug}',
    'delete /api/v1/orgs/{org}/tokens/{id}',
    'delete /api/v1/session',
    'get /api/v1/orgs/{org}/endpoint',
    'get /api/v1/orgs/{org}/grants',
    'get /api/v1/orgs/{org}/limits',
    'get /api/v1/orgs/{org}/limits/{id}',
    'get /api/v1/orgs/{org}/rollout',
    'get /api/v1/orgs/{org}/servers',
    'get /api/v1/orgs/{org}/servers/{slug}',
    'get /api/v1/orgs/{org}/servers/{slug}/catalogue',
    'get /api/v1/orgs/{org}/servers/{slug}/processes',
    'get /api/v1/orgs/{org}/tokens',
    'get /api/v1/session',
    'patch /api/v1/orgs/{org}/endpoint',
    'patch /api/v1/orgs/{org}/limits/{id}',
    'patch /api/v1/orgs/{org}/servers/{slug}',
    'post /api/v1/orgs',
    'post /api/v1/orgs/{org}/grants',
    'post /api/v1/orgs/{org}/limits',
    'post /api/v1/orgs/{org}/servers',
    'post /api/v1/orgs/{org}/servers/{slug}/discover',
    'post /api/v1/orgs/{org}/tokens',
    'post /api/v1/session',
  ]);
});

test('the readable page runs no script and loads nothing from elsewhere', async () => {
  const page = await installation.call('GET', '/api/docs');
  expect(page.text).toContain('/api/v1/orgs/{org}/servers');
  expect(page.text).not.toMatch(/<script|https?:\/\/| style=| on\w+=/);
  expect([...page.text.matchAll(/<section id="(\w+)"/g)].map(([, name]) => name).sort()).toEqual([
    'endpoint',
    'errors',
    'grants',
    'limits',
    'organisations',
    'rollout',
    'servers',
    'session',
    'tokens',
  ]);
  // A field of a body, a parameter and an example.
  expect(page.text).toContain('<code>expiresInDays</code> integer');
  expect(page.text).toContain('&#34;name&#34;:&#34;60 calls a minute'); // the example of a limit
  expect(page.text).toContain('<code>cursor</code> in the query');
  expect(page.text).toContain('/api/v1/orgs/default/servers/SLUG/discover');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect((await installation.call('GET', '/api/docs/style.css')).headers.get('content-type')).toContain('text/css');
});

test('what organisations look like is what the contract says', async () => {
  const owner = { email: 'o@x.example', password: 'a long enough passphrase' };
  const created = await installation.call('POST', '/api/v1/orgs', {
    headers: { authorization: `Bearer ${installation.first.apiToken}` },
    body: { slug: 'shape', name: 'Shape', owner },
  });
  expect(Organisation.parse(created.body)).toMatchObject({ slug: 'shape' });
  const again = await installation.call('POST', '/api/v1/orgs', {
    headers: { authorization: `Bearer ${installation.first.apiToken}` },
    body: { slug: 'shape', name: 'Shape', owner },
  });
  expect(again.body).toMatchObject({ status: 409, errors: [{ pointer: '/slug' }] });
});
