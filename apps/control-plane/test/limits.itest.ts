import { createHash } from 'node:crypto';
import { INTERNAL_PATHS, Limit, LIMITS_MAX, LimitsPart, Manifest, Problem, type OrganisationId } from '@patchbay/contracts';
import { createPostgresPorts, type Ports } from '@patchbay/ports';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Installation, until } from './support/installation.ts';

let installation: Installation;
let ports: Ports;
let organisation: OrganisationId;
let userId: string;
const api = (method: string, path: string, body?: unknown): ReturnType<Installation['api']> => installation.api(method, path, body);
const MINUTE = { name: 'a minute', windows: [{ seconds: 60, max: 60 }] };
const NOBODY = '00000000-0000-4000-8000-000000000000';

beforeAll(async () => {
  installation = await Installation.start();
  ports = createPostgresPorts({
    connectionString: `postgres://patchbay_ports:ports@127.0.0.1:${installation.postgres.port}/${installation.database}`,
  });
  organisation = (await installation.internal(INTERNAL_PATHS.revisions)).body.organisations[0].organisationId;
  userId = (await api('GET', '/tokens')).body.items[0].userId;
});

afterAll(async () => {
  await ports.close();
  await installation.stop();
});

afterEach(async () => {
  for (const { id } of (await api('GET', '/limits?limit=200')).body.items) await api('DELETE', `/limits/${id}`);
});

async function add(body: object): Promise<Limit> {
  const answer = await api('POST', '/limits', body);
  expect(answer.status, answer.text).toBe(201);
  return Limit.parse(answer.body);
}

/** What gateways are told, once they are told what `isRight` waits for. Signatures are other suites' concern. */
async function published(isRight: (manifest: Manifest) => boolean): Promise<Manifest> {
  return until(async () => {
    const manifest = Manifest.parse(decodeJwt((await ports.parts.getManifest(organisation)) ?? ''));
    return isRight(manifest) && manifest;
  }, 'the manifest');
}

const limitsRow = (manifest: Manifest): Manifest['parts'][number] | undefined => manifest.parts.find(({ kind }) => kind === 'limits');

describe('a limit', () => {
  test('is made of what is said, with the rest filled in, and read back the same', async () => {
    const said = {
      name: 'exports',
      mode: 'audit',
      per: ['user', 'tool'],
      applies: { subject: { kind: 'user', userId }, server: 'memory', tool: 'create_entities' },
      windows: [
        { seconds: 60, max: 10 },
        { seconds: 86_400, max: 100 },
      ],
      concurrency: 2,
    };
    const limit = await add(said);
    expect(limit).toMatchObject({ ...said, applies: { ...said.applies, token: null } });
    expect((await api('GET', `/limits/${limit.id}`)).body).toEqual(limit);
    expect(await add(MINUTE)).toMatchObject({
      mode: 'enforce',
      per: [],
      applies: { subject: null, token: null, server: null, tool: null },
      concurrency: null,
    });
  });

  test('changes by field; what is left out stays, what is replaced is replaced whole', async () => {
    const { id, createdAt } = await add({ ...MINUTE, applies: { server: 'memory', tool: 'read_graph' }, concurrency: 3 });
    const changed = await api('PATCH', `/limits/${id}`, { mode: 'audit', applies: { server: 'everything' }, concurrency: null });
    expect(Limit.parse(changed.body)).toMatchObject({
      ...MINUTE,
      mode: 'audit',
      applies: { subject: null, token: null, server: 'everything', tool: null },
      concurrency: null,
      createdAt,
    });
    expect((await api('PATCH', `/limits/${id}`, { windows: [] })).body).toMatchObject({
      code: 'api.validation',
      errors: [{ pointer: '/windows' }],
    });
    expect((await api('PATCH', `/limits/${id}`, { windows: [], concurrency: 1 })).body).toMatchObject({ windows: [], concurrency: 1 });
  });

  test('that is changed by two at once keeps both changes or refuses one', async () => {
    const { id } = await add(MINUTE);
    const changes = [{ name: 'renamed' }, { mode: 'audit' }, { concurrency: 5 }, { per: ['user'] }];
    const answers = await Promise.all(changes.map((change) => api('PATCH', `/limits/${id}`, change)));
    const stands = (await api('GET', `/limits/${id}`)).body;
    answers.forEach(({ status, body }, index) => {
      if (status === 200) expect(stands).toMatchObject(changes[index] ?? {});
      else expect(body.code).toBe('api.conflict');
    });
    expect(answers.some(({ status }) => status === 200)).toBe(true);
  });

  test('that does not exist is not found, however it is asked for', async () => {
    for (const id of [NOBODY, 'no-id']) {
      for (const [method, body] of [
        ['GET', undefined],
        ['PATCH', {}],
        ['DELETE', undefined],
      ] as const) {
        expect((await api(method, `/limits/${id}`, body)).body.code, `${method} ${id}`).toBe('api.not_found');
      }
    }
  });

  test.each<[string, object, string]>([
    ['nothing to limit', { name: 'x' }, '/windows'],
    ['no name', { ...MINUTE, name: '' }, '/name'],
    ['another mode', { ...MINUTE, mode: 'warn' }, '/mode'],
    ['an unknown dimension', { ...MINUTE, per: ['planet'] }, '/per/0'],
    ['a dimension twice', { ...MINUTE, per: ['user', 'user'] }, '/per'],
    ['a tool of no server', { ...MINUTE, applies: { tool: 'echo' } }, '/applies/tool'],
    ['an unknown server', { ...MINUTE, applies: { server: 'nowhere' } }, '/applies/server'],
    ['an unknown user', { ...MINUTE, applies: { subject: { kind: 'user', userId: NOBODY } } }, '/applies/subject/userId'],
    ['an unknown token', { ...MINUTE, applies: { token: NOBODY } }, '/applies/token'],
    ['a field of no limit', { ...MINUTE, colour: 'red' }, '/colour'],
    ['a window of no length', { name: 'x', windows: [{ seconds: 0, max: 1 }] }, '/windows/0/seconds'],
    ['a window of more than a month', { name: 'x', windows: [{ seconds: 2_678_401, max: 1 }] }, '/windows/0/seconds'],
    ['no calls at all', { name: 'x', windows: [{ seconds: 1, max: 0 }] }, '/windows/0/max'],
    ['half a call', { name: 'x', windows: [{ seconds: 1, max: 0.5 }] }, '/windows/0/max'],
    [
      'two windows of one length',
      {
        name: 'x',
        windows: [
          { seconds: 1, max: 1 },
          { seconds: 1, max: 2 },
        ],
      },
      '/windows',
    ],
    ['five windows', { name: 'x', windows: [1, 2, 3, 4, 5].map((seconds) => ({ seconds, max: 1 })) }, '/windows'],
    ['a concurrency of none', { name: 'x', concurrency: 0 }, '/concurrency'],
  ])('with %s is refused by field', async (_what, body, pointer) => {
    const { status, body: problem } = await api('POST', '/limits', body);
    expect(status).toBe(400);
    expect(Problem.parse(problem).errors?.map((error) => error.pointer)).toContain(pointer);
    expect((await api('GET', '/limits')).body.items).toEqual([]);
  });

  test('goes with its server, its token and its user', async () => {
    await api('POST', '/servers', { kind: 'streamable-http', url: 'http://127.0.0.1:9/mcp', slug: 'leaving' });
    const token = (await api('POST', '/tokens', { name: 'leaving' })).body;
    const superuser = await installation.sql();
    const [user] = (
      await superuser.query<{ id: string }>(
        `insert into users (organisation_id, id, email, password_hash, role) values ($1, gen_random_uuid(), 'l@x.example', '-', 'member') returning id`,
        [organisation],
      )
    ).rows;
    await add({ ...MINUTE, applies: { server: 'leaving' } });
    await add({ ...MINUTE, applies: { token: token.id } });
    await add({ ...MINUTE, applies: { subject: { kind: 'user', userId: user?.id } } });
    const stays = await add({ ...MINUTE, applies: { subject: { kind: 'everyone' } } });
    await api('DELETE', '/servers/leaving');
    await api('DELETE', `/tokens/${token.id}`);
    await superuser.query('delete from users where id = $1', [user?.id]);
    await superuser.end();
    expect((await api('GET', '/limits')).body.items).toEqual([stays]);
    expect((await api('POST', '/limits', { ...MINUTE, applies: { token: token.id } })).body.errors[0].pointer).toBe('/applies/token');
  });
});

test('lists come in pages that join, and an organisation has no more limits than it may, however many ask at once', async () => {
  const superuser = await installation.sql();
  await superuser.query(
    `insert into limits (organisation_id, id, name, mode, concurrency) select $1, gen_random_uuid(), 'many', 'audit', 1 from generate_series(1, $2)`,
    [organisation, LIMITS_MAX - 2],
  );
  await superuser.end();
  const answers = await Promise.all(Array.from({ length: 6 }, () => api('POST', '/limits', MINUTE)));
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 201, 409, 409, 409, 409]);
  expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
    code: 'api.too_many',
    detail: expect.stringContaining(String(LIMITS_MAX)),
  });
  const ids: string[] = [];
  for (let cursor = ''; ; ) {
    const { items, nextCursor } = (await api('GET', `/limits?limit=70${cursor === '' ? '' : `&cursor=${cursor}`}`)).body;
    ids.push(...items.map(({ id }: { id: string }) => id));
    if (nextCursor === null) break;
    cursor = nextCursor;
  }
  expect(new Set(ids).size).toBe(LIMITS_MAX);
  expect(ids.length).toBe(LIMITS_MAX);
});

describe('what gateways are told', () => {
  test('a manifest has the part, and demands that its reader knows it, only while there are limits', async () => {
    const before = await published((manifest) => limitsRow(manifest) === undefined);
    expect(before.needs).not.toContain('limits');
    const limit = await add({ ...MINUTE, per: ['token'], applies: { server: 'memory', tool: 'read_graph' } });
    const during = await published((manifest) => limitsRow(manifest) !== undefined);
    expect(during.needs).toContain('limits');
    const { hash } = limitsRow(during) ?? { hash: '' as never };
    const bytes = (await ports.parts.getParts(organisation, [hash])).get(hash) ?? Buffer.alloc(0);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(hash);
    expect(LimitsPart.parse(JSON.parse(bytes.toString())).limits).toMatchObject([
      { id: limit.id, per: ['token'], applies: { subject: null, tool: 'read_graph' }, windows: [{ windowMs: 60_000, max: 60 }] },
    ]);
    await api('DELETE', `/limits/${limit.id}`);
    expect((await published((manifest) => limitsRow(manifest) === undefined)).needs).not.toContain('limits');
  });

  test('a change of something else leaves the part as it is', async () => {
    await add(MINUTE);
    const before = await published((manifest) => limitsRow(manifest) !== undefined);
    await api('PATCH', '/servers/memory', { timeouts: { requestMs: 4_321 } });
    const after = await published(({ revision }) => revision > before.revision);
    expect(limitsRow(after)).toEqual(limitsRow(before));
  });
});

test('the table itself refuses what makes no sense', async () => {
  const superuser = await installation.sql();
  const columns =
    'insert into limits (organisation_id, id, name, mode, per, subject_kind, user_id, tool, window_seconds, window_max, concurrency)';
  const insert = (values: string): Promise<unknown> =>
    superuser.query(`${columns} values ('${organisation}', gen_random_uuid(), 'x', ${values})`);
  try {
    for (const [values, constraint] of [
      [`'warn', '{}', null, null, null, '{}', '{}', 1`, 'limits_mode_check'],
      [`'audit', '{planet}', null, null, null, '{}', '{}', 1`, 'limits_per_check'],
      [`'audit', '{}', 'user', null, null, '{}', '{}', 1`, 'limits_subject_check'],
      [`'audit', '{}', null, '${userId}', null, '{}', '{}', 1`, 'limits_subject_check'],
      [`'audit', '{}', null, null, 'echo', '{}', '{}', 1`, 'limits_tool_check'],
      [`'audit', '{}', null, null, null, '{60}', '{}', 1`, 'limits_windows_check'],
      [`'audit', '{}', null, null, null, '{0}', '{1}', 1`, 'limits_window_seconds_check'],
      [`'audit', '{}', null, null, null, '{1}', '{0}', 1`, 'limits_window_max_check'],
      [`'audit', '{}', null, null, null, '{}', '{}', null`, 'limits_something_check'],
      [`'audit', '{}', null, null, null, '{}', '{}', 0`, 'limits_concurrency_check'],
    ] as const) {
      await expect(insert(values), values).rejects.toThrow(constraint);
    }
  } finally {
    await superuser.end();
  }
});
