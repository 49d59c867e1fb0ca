import { INTERNAL_PATHS, MASK } from '@patchbay/contracts';
import { hashToken } from '@patchbay/tokens';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Installation } from './support/installation.ts';

let installation: Installation;
let operator: Record<string, string>;
const roles: Record<string, Record<string, string>> = {};
const PASSWORD = 'a long enough passphrase';
const OWNER = { email: 'owner@second.example', password: PASSWORD };
const STDIO = { kind: 'stdio', command: 'node', args: ['-e', '1'] };

beforeAll(async () => {
  installation = await Installation.start();
  operator = await installation.signIn('default', installation.first.adminEmail, installation.first.adminPassword);
  const superuser = await installation.sql();
  const copy = `insert into users (organisation_id, id, email, password_hash, role, operator)
    select organisation_id, gen_random_uuid(), $1 || '@default.example', password_hash, $1, false from users where operator limit 1`;
  for (const role of ['owner', 'admin', 'member', 'auditor']) {
    await superuser.query(copy, [role]);
    roles[role] = await installation.signIn('default', `${role}@default.example`, installation.first.adminPassword);
  }
  await superuser.end();
});

afterAll(() => installation.stop());

const as = (who: Record<string, string>, method: string, path: string, body?: unknown): ReturnType<Installation['call']> =>
  installation.call(method, path, { headers: who, body });
const at = (path: string, organisation = 'default'): string => `/api/v1/orgs/${organisation}${path}`;

describe('while there is one organisation', () => {
  test.each(['owner', 'admin'])('an %s registers stdio servers', async (role) => {
    expect((await as(roles[role] ?? {}, 'POST', at('/servers'), { ...STDIO, slug: `by-${role}` })).status).toBe(201);
  });

  test('members and auditors change nothing, and see no process of a server', async () => {
    for (const role of ['member', 'auditor']) {
      const who = roles[role] ?? {};
      expect((await as(who, 'GET', at('/servers'))).status).toBe(200);
      for (const [method, path, body] of [
        ['POST', '/servers', { ...STDIO, slug: 'no' }],
        ['PATCH', '/servers/memory', {}],
        ['DELETE', '/servers/memory', undefined],
        ['POST', '/servers/memory/discover', undefined],
        // What a server writes on stderr is not for everybody.
        ['GET', '/servers/memory/processes', undefined],
        ['POST', '/grants', { subject: { kind: 'everyone' }, server: 'memory', tools: { mode: 'all' } }],
        ['POST', '/limits', { name: 'one', concurrency: 1 }],
        ['PATCH', `/limits/${randomUUID()}`, {}],
        ['DELETE', `/limits/${randomUUID()}`, undefined],
      ] as const) {
        expect((await as(who, method, at(path), body)).body.code, `${role} ${method} ${path}`).toBe('auth.forbidden');
      }
    }
    expect((await as(roles['member'] ?? {}, 'GET', at('/grants'))).status).toBe(403);
    expect((await as(roles['auditor'] ?? {}, 'GET', at('/grants'))).status).toBe(200);
    expect((await as(roles['member'] ?? {}, 'GET', at('/limits'))).status).toBe(403);
    expect((await as(roles['auditor'] ?? {}, 'GET', at('/limits'))).status).toBe(200);
    expect((await as(roles['auditor'] ?? {}, 'POST', at('/tokens'), { name: 'x' })).status).toBe(403);
  });

  test('a member sees and ends only tokens of their own', async () => {
    const mine = await as(roles['member'] ?? {}, 'POST', at('/tokens'), { name: 'mine' });
    const theirs = await as(roles['owner'] ?? {}, 'POST', at('/tokens'), { name: 'theirs' });
    expect((await as(roles['member'] ?? {}, 'GET', at('/tokens'))).body.items.map(({ id }: { id: string }) => id)).toEqual([mine.body.id]);
    expect((await as(roles['member'] ?? {}, 'DELETE', at(`/tokens/${theirs.body.id}`))).status).toBe(404);
    expect((await as(roles['owner'] ?? {}, 'DELETE', at(`/tokens/${mine.body.id}`))).status).toBe(204);
  });

  test('a token carries the profile of its client to gateways, and one of a client that takes anything says nothing of it', async () => {
    const clientProfile = { nameLengthMax: 60, namePunctuation: '_-', toolsMax: 40 };
    const { organisationId } = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0];
    const entryOf = async (token: string): Promise<Record<string, unknown>> => {
      const { entry } = (await installation.internal(INTERNAL_PATHS.token(organisationId, hashToken(token)))).body;
      return JSON.parse(Buffer.from(entry.split('.')[1], 'base64url').toString());
    };
    const mint = (more: object): ReturnType<typeof as> => as(roles['member'] ?? {}, 'POST', at('/tokens'), { name: 'profiled', ...more });
    const profiled = await mint({ clientProfile });
    expect(profiled.body.clientProfile).toEqual(clientProfile);
    expect((await entryOf(profiled.body.token))['clientProfile']).toEqual(clientProfile);
    const plain = await mint({});
    expect(plain.body.clientProfile).toEqual({});
    expect(await entryOf(plain.body.token)).not.toHaveProperty('clientProfile');
    expect((await mint({ clientProfile: { namePunctuation: 'é' } })).status).toBe(400);
    for (const { body } of [profiled, plain])
      expect((await as(roles['member'] ?? {}, 'DELETE', at(`/tokens/${body.id}`))).status).toBe(204);
  });

  test('an API token does only what its scopes say, and never more than its user', async () => {
    const superuser = await installation.sql();
    const bearer = { authorization: `Bearer ${installation.first.apiToken}` };
    try {
      await superuser.query(`update api_tokens set scopes = '{servers:read}'`);
      expect((await as(bearer, 'GET', at('/servers'))).status).toBe(200);
      expect((await as(bearer, 'DELETE', at('/servers/memory'))).body.code).toBe('auth.forbidden');
      await superuser.query(`update api_tokens set scopes = '{servers:read,servers:write}'`);
      await superuser.query(`update users set role = 'member' where operator`);
      expect((await as(bearer, 'DELETE', at('/servers/memory'))).body.code).toBe('auth.forbidden');
    } finally {
      await superuser.query(`update users set role = 'owner' where operator`);
      await superuser.query(
        `update api_tokens set scopes = '{servers:read,servers:write,grants:read,grants:write,limits:read,limits:write,tokens:read,tokens:mint,organisations:write}'`,
      );
      await superuser.end();
    }
  });

  test('only an operator creates organisations, and only soon after signing in', async () => {
    const body = { slug: 'second', name: 'Second', owner: OWNER };
    expect((await as(roles['owner'] ?? {}, 'POST', '/api/v1/orgs', body)).body.code).toBe('auth.forbidden');
    const superuser = await installation.sql();
    await superuser.query(`update sessions set created_at = created_at - interval '16 minutes'`);
    expect((await as(operator, 'POST', '/api/v1/orgs', body)).body.code).toBe('auth.recent_sign_in_required');
    await superuser.query(`update sessions set created_at = created_at + interval '16 minutes'`);
    await superuser.end();
    expect((await as(operator, 'POST', '/api/v1/orgs', body)).status).toBe(201);
  });
});

describe('with a second organisation', () => {
  let second: Record<string, string>;
  beforeAll(async () => {
    second = await installation.signIn('second', OWNER.email, OWNER.password);
  });

  test('what a stdio server runs is an operator’s to say, on every route', async () => {
    for (const [who, path] of [
      [second, at('/servers', 'second')],
      [roles['owner'], at('/servers')],
      [roles['admin'], at('/servers')],
    ] as const) {
      expect((await as(who ?? {}, 'POST', path, { ...STDIO, slug: 'mine' })).body.code).toBe('stdio.not_allowed');
    }
    for (const change of [{ command: 'sh' }, { args: [] }, { env: { A: '1' } }, { isolation: 'shared' }, { egress: ['x.example:443'] }]) {
      expect((await as(roles['owner'] ?? {}, 'PATCH', at('/servers/memory'), change)).body.code).toBe('stdio.not_allowed');
    }
    expect((await as(roles['owner'] ?? {}, 'PATCH', at('/servers/memory'), { description: 'described' })).status).toBe(200);
    expect((await as(roles['owner'] ?? {}, 'POST', at('/servers/by-owner/discover'))).body.code).toBe('stdio.not_allowed');
    expect((await as(roles['owner'] ?? {}, 'POST', at('/servers/memory/discover'))).status).toBe(200);
    expect((await as(operator, 'POST', at('/servers'), { ...STDIO, slug: 'operated' })).status).toBe(201);
  });

  const FOREIGN: [string, string, unknown][] = [
    ['GET', '/servers', undefined],
    ['POST', '/servers', { kind: 'streamable-http', slug: 'x', url: 'http://x.example/' }],
    ['GET', '/servers/memory', undefined],
    ['PATCH', '/servers/memory', { description: 'stolen' }],
    ['DELETE', '/servers/memory', undefined],
    ['GET', '/servers/memory/catalogue', undefined],
    ['GET', '/servers/memory/processes', undefined],
    ['POST', '/servers/memory/discover', undefined],
    ['GET', '/grants', undefined],
    ['POST', '/grants', { subject: { kind: 'everyone' }, server: 'memory', tools: { mode: 'all' } }],
    ['DELETE', `/grants/${randomUUID()}`, undefined],
    ['GET', '/limits', undefined],
    ['POST', '/limits', { name: 'one', concurrency: 1 }],
    ['GET', `/limits/${randomUUID()}`, undefined],
    ['PATCH', `/limits/${randomUUID()}`, {}],
    ['DELETE', `/limits/${randomUUID()}`, undefined],
    ['GET', '/tokens', undefined],
    ['POST', '/tokens', { name: 'x' }],
    ['DELETE', `/tokens/${randomUUID()}`, undefined],
  ];
  test.each(FOREIGN)('%s %s of another organisation answers like one that does not exist', async (method, path, body) => {
    const foreign = await as(second, method, at(path), body);
    const missing = await as(second, method, at(path, 'never-created'), body);
    expect(foreign.status).toBe(404);
    expect(foreign.text).toBe(missing.text);
  });

  test('an id of another organisation is no id', async () => {
    const { items } = (await as(operator, 'GET', at('/grants'))).body;
    expect((await as(second, 'DELETE', at(`/grants/${items[0].id}`, 'second'))).status).toBe(404);
    const limit = (await as(operator, 'POST', at('/limits'), { name: 'theirs', concurrency: 1 })).body;
    for (const [method, body] of [
      ['GET', undefined],
      ['PATCH', {}],
      ['DELETE', undefined],
    ] as const) {
      expect((await as(second, method, at(`/limits/${limit.id}`, 'second'), body)).status, method).toBe(404);
    }
    const { items: tokens } = (await as(operator, 'GET', at('/tokens'))).body;
    expect((await as(second, 'DELETE', at(`/tokens/${tokens[0].id}`, 'second'))).status).toBe(404);
    const foreignUser = (await as(operator, 'GET', '/api/v1/session')).body.user.id;
    await as(second, 'POST', at('/servers', 'second'), { kind: 'streamable-http', slug: 'own', url: 'http://x.example/' });
    const grant = await as(second, 'POST', at('/grants', 'second'), {
      subject: { kind: 'user', userId: foreignUser },
      server: 'own',
      tools: { mode: 'all' },
    });
    expect(grant.body.errors[0].pointer).toBe('/subject/userId');
    for (const [applies, pointer] of [
      [{ subject: { kind: 'user', userId: foreignUser } }, '/applies/subject/userId'],
      [{ token: tokens[0].id }, '/applies/token'],
      [{ server: 'memory' }, '/applies/server'],
    ] as const) {
      const answer = await as(second, 'POST', at('/limits', 'second'), { name: 'over the wall', concurrency: 1, applies });
      expect(answer.body.errors, pointer).toMatchObject([{ pointer }]);
    }
  });
});

describe('our own programs', () => {
  test('are told apart by their secrets', async () => {
    const { organisationId } = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0];
    const launch = INTERNAL_PATHS.launch(organisationId, randomUUID());
    expect((await installation.internal(INTERNAL_PATHS.revisions, { as: 'nonsense' })).status).toBe(401);
    expect((await installation.internal(INTERNAL_PATHS.revisions, { as: 'stdioHostSecret' })).status).toBe(401);
    expect((await installation.internal(launch, { as: 'gatewaySecret' })).status).toBe(401);
    expect((await installation.internal(launch, { as: 'stdioHostSecret' })).status).toBe(404);
    expect((await installation.internal(INTERNAL_PATHS.organisation('never'))).status).toBe(404);
    expect((await installation.internal(INTERNAL_PATHS.token(organisationId, 'f'.repeat(64)))).body).toMatchObject({
      entry: null,
      revision: expect.any(Number),
    });
  });

  test('are answered under an address of this machine alone', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${installation.internalPort}`,
      `127.0.0.1:${installation.internalPort}.evil.example`,
    ]) {
      expect(await installation.internalStatus('/livez', host), host).toBe(421);
      expect(await installation.internalStatus(INTERNAL_PATHS.revisions, host), host).toBe(421);
    }
    expect(await installation.internalStatus('/livez', `localhost:${installation.internalPort}`)).toBe(200);
  });

  test('a stdio server that no operator approved is not started, also when it was registered while that was allowed', async () => {
    const superuser = await installation.sql();
    const { rows } = await superuser.query(
      `select organisation_id, id, generation from servers where slug in ('by-owner', 'memory') order by slug`,
    );
    await superuser.end();
    const launch = (row: (typeof rows)[number]): ReturnType<Installation['internal']> =>
      installation.internal(`${INTERNAL_PATHS.launch(row.organisation_id, row.id)}?generation=${row.generation}`, {
        as: 'stdioHostSecret',
      });
    expect((await launch(rows[0])).body).toMatchObject({ status: 403, code: 'stdio.not_allowed' });
    expect((await launch(rows[1])).status).toBe(200);
    // Nor is one of an organisation beside the first where nothing would confine it.
    const unconfined = ({ generation, id }: (typeof rows)[number], organisation: string): ReturnType<Installation['internal']> =>
      installation.internal(`${INTERNAL_PATHS.launch(organisation, id)}?generation=${generation}&confines=no`, { as: 'stdioHostSecret' });
    expect((await unconfined(rows[1], rows[1].organisation_id)).status).toBe(200);
  });

  test('a stdio host gets the revealed env of exactly the present generation', async () => {
    const { organisationId } = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0];
    const superuser = await installation.sql();
    const { rows } = await superuser.query(`select id, generation from servers where slug = 'memory'`);
    await superuser.end();
    const path = INTERNAL_PATHS.launch(organisationId, rows[0].id);
    const spec = await installation.internal(`${path}?generation=${rows[0].generation}`, { as: 'stdioHostSecret' });
    expect(spec.body).toMatchObject({
      slug: 'memory',
      command: 'node',
      isolation: 'shared',
      env: { MEMORY_FILE_PATH: expect.stringContaining(rows[0].id) },
    });
    expect((await installation.internal(`${path}?generation=older`, { as: 'stdioHostSecret' })).status).toBe(404);
  });

  test('a stdio server is told to its host with what it may reach, and a change of that is another generation', async () => {
    const registered = { ...STDIO, slug: 'reaching', isolation: 'principal', egress: ['api.example.com:443'] };
    expect((await as(operator, 'POST', at('/servers'), registered)).status).toBe(201);
    const superuser = await installation.sql();
    const row = async () => (await superuser.query(`select organisation_id, id, generation from servers where slug = 'reaching'`)).rows[0];
    const before = await row();
    const launch = INTERNAL_PATHS.launch(before.organisation_id, before.id);
    const spec = await installation.internal(`${launch}?generation=${before.generation}`, { as: 'stdioHostSecret' });
    expect(spec.body).toMatchObject({ isolation: 'principal', egress: { targets: ['api.example.com:443'], openings: expect.any(Array) } });
    for (const target of ['api.example.com', 'API.example.com:443', 'x:0', 'x:70000', 'x:80/path', '[::1]:80']) {
      expect((await as(operator, 'PATCH', at('/servers/reaching'), { egress: [target] })).status, target).toBe(400);
    }
    const changed = await as(operator, 'PATCH', at('/servers/reaching'), { egress: ['10.0.0.7:5432'] });
    expect(changed.body).toMatchObject({ egress: ['10.0.0.7:5432'] });
    expect((await row()).generation).not.toBe(before.generation);
    await superuser.end();
  });

  test('a server on one connection is an admin’s to register, and its host alone is told where it is and with which headers', async () => {
    const owner = roles['owner'] ?? {};
    const input = { kind: 'websocket', slug: 'socketed', url: 'wss://x.example/mcp', headers: { 'X-Key': 'socket-secret' } };
    const registered = await as(owner, 'POST', at('/servers'), input);
    expect(registered.body).toMatchObject({
      kind: 'websocket',
      url: 'wss://x.example/mcp',
      headers: { 'X-Key': MASK },
      isolation: 'session',
    });
    expect((await as(owner, 'PATCH', at('/servers/socketed'), { isolation: 'principal' })).status).toBe(200);
    expect((await as(owner, 'PATCH', at('/servers/socketed'), { url: 'https://x.example/mcp' })).body.errors[0].pointer).toBe('/url');
    expect((await as(owner, 'PATCH', at('/servers/socketed'), { command: 'sh' })).body.errors[0].pointer).toBe('/command');
    for (const wrong of [
      { kind: 'sse', url: 'ws://x.example/' },
      { kind: 'websocket', url: 'http://x.example/' },
      { kind: 'websocket', url: 'ws://u:p@x.example/' },
    ])
      expect((await as(owner, 'POST', at('/servers'), { slug: 'wrong', ...wrong })).body.errors[0].pointer).toBe('/url');
    const superuser = await installation.sql();
    const { rows } = await superuser.query(`select organisation_id, id, generation from servers where slug = 'socketed'`);
    await superuser.end();
    const { generation, id, organisation_id: organisationId } = rows[0];
    const launch = `${INTERNAL_PATHS.launch(organisationId, id)}?generation=${generation}`;
    const spec = await installation.internal(launch, { as: 'stdioHostSecret' });
    expect(spec.body).toMatchObject({
      command: '',
      env: {},
      isolation: 'principal',
      dial: { transport: 'websocket', url: 'wss://x.example/mcp', headers: { 'x-key': 'socket-secret' } },
    });
    expect(spec.body.egress.openings).toEqual([]);
    expect((await installation.internal(launch)).status).toBe(401);
    const moved = await as(owner, 'PATCH', at('/servers/socketed'), { url: 'wss://elsewhere.example/mcp' });
    expect(moved.body).toMatchObject({ headers: {}, statusDetail: expect.stringContaining('dropped') });
  });

  test('header values are released only against a token that is valid now and may use that server now', async () => {
    await as(operator, 'POST', at('/servers'), {
      kind: 'streamable-http',
      slug: 'keyed',
      url: 'http://x.example/',
      headers: { 'X-Key': 'the value' },
    });
    const { token, id } = (await as(operator, 'POST', at('/tokens'), { name: 'caller' })).body;
    const superuser = await installation.sql();
    const { rows } = await superuser.query(`select organisation_id, id, generation from servers where slug = 'keyed'`);
    await superuser.end();
    const body = {
      organisationId: rows[0].organisation_id,
      serverId: rows[0].id,
      generation: rows[0].generation,
      tokenHash: hashToken(token),
    };
    const ask = (more = {}): ReturnType<Installation['internal']> =>
      installation.internal(INTERNAL_PATHS.credential, { method: 'POST', body: { ...body, ...more } });
    expect((await ask()).status).toBe(403);
    const grant = (await as(operator, 'POST', at('/grants'), { subject: { kind: 'everyone' }, server: 'keyed', tools: { mode: 'all' } }))
      .body;
    expect((await ask()).body).toEqual({ headers: { 'X-Key': 'the value' } });
    expect((await ask({ generation: 'older' })).status).toBe(404);
    expect((await ask({ tokenHash: 'a'.repeat(64) })).status).toBe(403);
    await as(operator, 'DELETE', at(`/grants/${grant.id}`));
    expect((await ask()).status).toBe(403);
    await as(operator, 'POST', at('/grants'), { subject: { kind: 'everyone' }, server: 'keyed', tools: { mode: 'all' } });
    await as(operator, 'DELETE', at(`/tokens/${id}`));
    expect((await ask()).status).toBe(403);
  });
});
