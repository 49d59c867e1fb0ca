import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryStore, startGateway, type TestGateway } from './support/gateway.ts';
import { openEvents } from './support/event-stream.ts';
import { modernInit } from './support/modern-call.ts';
import { type RawRequest, type RawUpstream, startRawUpstream, writeEvents } from './support/raw-upstream.ts';
import type { ServerSpec } from './support/snapshot.ts';

const TASKS = 'io.modelcontextprotocol/tasks';
const UI = 'io.modelcontextprotocol/ui';
const extensions = { [TASKS]: {}, [UI]: {}, 'org.example/other': { level: 2 } };
const BOARD = '{"name":"board","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://board"}}}';

let raw: RawUpstream;
/** Two pods in which everybody may use everything, and two in which only `slow` and `board` of each server. */
let open: TestGateway[];
let narrow: TestGateway[];

beforeAll(async () => {
  raw = await startRawUpstream(answer);
  const common = { url: raw.url, tools: ['slow', 'board', 'hidden'], definitions: { board: BOARD } };
  const servers: ServerSpec[] = [
    {
      ...common,
      slug: 'new',
      era: 'modern',
      id: ids[0],
      capabilities: { extensions },
      resources: ['ui://board', 'ui://admin', 'note://1'],
    },
    { ...common, slug: 'old', era: 'legacy', id: ids[1] },
  ];
  const narrowed = servers.map((server) => ({ ...server, grantedTools: ['slow', 'board'] }));
  const [one, other] = [memoryStore(), memoryStore()];
  open = [await startGateway({ servers, store: one }), await startGateway({ servers, store: one })];
  narrow = [await startGateway({ servers: narrowed, store: other }), await startGateway({ servers: narrowed, store: other })];
});
const ids = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as const;

afterAll(async () => {
  await Promise.all([...open, ...narrow, raw].map((each) => each.close()));
});

/** Honours all that it is asked for, and tells of two tasks: one is of somebody else. */
function listenTo(notifications: { taskIds?: string[] }, response: ServerResponse): void {
  const _meta = { 'io.modelcontextprotocol/subscriptionId': 'patchbay-listen' };
  const content = [{ type: 'resource_link', uri: 'note://1', name: 'one' }];
  writeEvents(
    response,
    { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications, _meta } },
    { jsonrpc: '2.0', method: 'notifications/tasks', params: { taskId: 'task/2', status: 'working', _meta } },
    {
      jsonrpc: '2.0',
      method: 'notifications/tasks',
      params: { taskId: 'task/1', status: 'completed', result: { content, taskId: 'data' }, _meta },
    },
  );
}

function answer({ message: { id, method, params } }: RawRequest, response: ServerResponse): void {
  if (method !== 'subscriptions/listen') response.writeHead(200, { 'content-type': 'application/json' });
  const say = (result: object): void => void response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  if (method === 'tools/call') {
    if (params?.['name'] === 'slow') return say({ resultType: 'task', taskId: 'task/1', status: 'working', ttlMs: null });
    return say({ resultType: 'complete', content: [], taskId: 'no task of ours' });
  }
  if (method === 'tasks/get') {
    const content = [{ type: 'resource_link', uri: 'note://1', name: 'one' }];
    return say({ resultType: 'complete', taskId: params?.['taskId'], status: 'completed', result: { content, taskId: 'data' } });
  }
  if (method === 'subscriptions/listen') return listenTo(params?.['notifications'] as { taskIds?: string[] }, response);
  if (method === 'resources/read')
    return say({ resultType: 'complete', ttlMs: 0, cacheScope: 'private', contents: [{ uri: params?.['uri'], text: 'page' }] });
  return say({ resultType: 'complete', echoed: { method, params } });
}

type Body = { result: Record<string, unknown>; error: { code: number; message: string; data: { code: string } } };
type Params = { name?: string; uri?: string; taskId?: string; [member: string]: unknown };
type Asking = { method: string; params?: Params; slug?: string | null; user?: string; era?: 'legacy' };

async function ask(
  pod: TestGateway | undefined,
  { era, method, params = {}, slug = null, user = 'ada' }: Asking,
): Promise<Body & { status: number }> {
  const legacy = {
    method: 'POST',
    headers: { authorization: `Bearer ${user}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  };
  const capabilities = { extensions: { [TASKS]: {} } };
  const response = await fetch(pod?.url(slug) ?? '', era === 'legacy' ? legacy : modernInit(method, params, { capabilities, user }));
  return { ...((await response.json()) as Body), status: response.status };
}

const begin = async (pod: TestGateway | undefined, slug: string | null): Promise<string> => {
  const { result } = await ask(pod, { method: 'tools/call', params: { name: slug === null ? 'new_slow' : 'slow' }, slug });
  expect(result).toMatchObject({ resultType: 'task', status: 'working', ttlMs: null });
  return String(result['taskId']);
};
const last = (): RawRequest | undefined => raw.seen.at(-1);

describe('tasks', () => {
  it('of several servers carry their route in their ids, which any pod opens, and stay the same as long as they are asked for', async () => {
    const taskId = await begin(open[0], null);
    expect(taskId).not.toContain('task/1');
    const { result } = await ask(open[1], { method: 'tasks/get', params: { taskId } });
    expect(result).toMatchObject({ taskId, status: 'completed', result: { taskId: 'data', content: [{ uri: 'patchbay+new+note://1' }] } });
    expect(last()).toMatchObject({ headers: { 'mcp-name': 'task/1' }, message: { params: { taskId: 'task/1' } } });
    for (const method of ['tasks/update', 'tasks/cancel']) {
      expect((await ask(open[0], { method, params: { taskId, inputResponses: {} } })).result).toMatchObject({ resultType: 'complete' });
      expect(last()?.message).toMatchObject({ method, params: { taskId: 'task/1' } });
    }
  });

  it('open for nobody else and at no other endpoint', async () => {
    const taskId = await begin(open[0], null);
    const params = { taskId };
    const asked = raw.seen.length;
    for (const refused of [{ user: 'bob' }, { params: { taskId: 'task/1' } }, { params: { taskId: `${taskId}A` } }])
      expect((await ask(open[1], { method: 'tasks/get', params, ...refused })).error).toMatchObject({
        code: -32602,
        data: { code: 'task.unknown' },
      });
    expect((await ask(narrow[0], { method: 'tasks/get', params, slug: 'new' })).error.data.code).toBe('task.unknown');
    expect(raw.seen).toHaveLength(asked);
  });

  it('are decided by their tool again: a grant that is gone ends them', async () => {
    const taskId = await begin(narrow[0], 'new');
    expect((await ask(narrow[1], { method: 'tasks/get', params: { taskId }, slug: 'new' })).result).toMatchObject({ status: 'completed' });
    const withdrawn = await startGateway({
      servers: [{ slug: 'new', era: 'modern', id: ids[0], url: raw.url, tools: ['slow'], grantedTools: ['other'] }],
    });
    expect((await ask(withdrawn, { method: 'tasks/get', params: { taskId }, slug: 'new' })).error.data.code).toBe('task.unknown');
    await withdrawn.close();
  });

  it('of one server keep their ids for those who may use all of it (trap 16)', async () => {
    expect(await begin(open[0], 'new')).toBe('task/1');
    expect((await ask(open[1], { method: 'tasks/get', params: { taskId: 'task/1' }, slug: 'new' })).result).toMatchObject({
      taskId: 'task/1',
    });
  });

  it.each([
    ['several servers', null, () => open, 'patchbay+new+note://1'],
    ['one server, to who may use a part of it', 'new', () => narrow, 'note://1'],
  ] as const)('of %s are told of on a stream, by any pod, under the id that their client has', async (_of, slug, pods, uri) => {
    const taskId = await begin(pods()[0], slug);
    const capabilities = { extensions: { [TASKS]: {} } };
    const listening = (user: string, taskIds: readonly string[]) =>
      openEvents(
        pods()[1]?.url(slug) ?? '',
        modernInit('subscriptions/listen', { notifications: { taskIds } }, { capabilities, user, id: 5 }),
      );
    const stream = await listening('ada', [taskId, 'task/1']);
    await expect.poll(() => stream.messages).toHaveLength(2);
    const _meta = { 'io.modelcontextprotocol/subscriptionId': 5 };
    expect(stream.messages[0]?.params).toEqual({ notifications: { taskIds: [taskId] }, _meta });
    expect(last()?.message.params?.['notifications']).toEqual({ taskIds: ['task/1'] });
    expect(stream.messages[1]).toMatchObject({
      method: 'notifications/tasks',
      params: { taskId, result: { content: [{ uri }], taskId: 'data' }, _meta },
    });
    stream.close();
    // Nothing is honoured of somebody else's task.
    const others = await listening('bob', [taskId]);
    await expect.poll(() => others.hasEnded()).toBe(true);
    expect(others.messages[0]?.params).toMatchObject({ notifications: {} });
  });

  it('are not seen in a result that only has a member of that name', async () => {
    const { result } = await ask(open[0], { method: 'tools/call', params: { name: 'new_hidden' } });
    expect(result['taskId']).toBe('no task of ours');
  });
});

describe('methods that no revision has', () => {
  it('pass between a client and a server of one era, at the server’s own endpoint, untouched (trap 16)', async () => {
    const params = { anything: [1, { x: '\u00e9' }] };
    const { result } = await ask(open[0], { method: 'org.example/do', params, slug: 'new' });
    expect(result['echoed']).toMatchObject({ method: 'org.example/do', params });
    expect((await ask(open[0], { method: 'org.example/do', params, slug: 'old', era: 'legacy' })).result['echoed']).toEqual({
      method: 'org.example/do',
      params,
    });
  });

  it('are unknown where it cannot be said what they reach: between eras, on several servers, and to who may use some tools only', async () => {
    const method = 'org.example/do';
    const asked = raw.seen.length;
    const unknown = { code: -32601, message: 'Method not found. This endpoint does not offer "org.example/do".' };
    for (const [pod, slug] of [
      [open[0], 'old'],
      [open[0], null],
      [narrow[0], 'new'],
    ] as const) {
      const refused = await ask(pod, { method, slug });
      expect(refused).toMatchObject({ status: 404, error: unknown });
    }
    expect(raw.seen).toHaveLength(asked);
  });

  it('and what the revisions themselves took away stays refused whatever a server would answer', async () => {
    for (const method of ['ping', 'logging/setLevel', 'resources/subscribe', 'initialize'])
      expect((await ask(open[0], { method, slug: 'new' })).status).toBe(404);
  });
});

describe('the page of an app', () => {
  it('goes with the tools that show it: listed and read by who may use one of them, like no other resource', async () => {
    for (const [slug, board] of [
      [null, 'ui://new/board'],
      ['new', 'ui://board'],
    ] as const) {
      const { result } = await ask(narrow[0], { method: 'resources/list', slug });
      expect((result['resources'] as { uri: string }[]).map(({ uri }) => uri)).toEqual([board]);
      expect((await ask(narrow[1], { method: 'resources/read', params: { uri: board }, slug })).result['contents']).toEqual([
        { uri: board, text: 'page' },
      ]);
    }
    for (const uri of ['ui://new/admin', 'ui://new/nothing', 'patchbay+new+note://1']) {
      const { error } = await ask(narrow[0], { method: 'resources/read', params: { uri } });
      expect(error).toEqual({ code: -32602, message: 'Resource not found.', data: { uri, code: 'resource.unknown' } });
    }
  });
});

describe('extensions', () => {
  it('are declared by the server’s own endpoint as the server does, and together only those that are routed (trap 13)', async () => {
    const declared = async (slug: string | null): Promise<unknown> =>
      ((await ask(open[0], { method: 'server/discover', slug })).result['capabilities'] as { extensions?: unknown }).extensions;
    expect(await declared('new')).toEqual(extensions);
    expect(await declared(null)).toEqual({ [TASKS]: {}, [UI]: {} });
    expect(await declared('old')).toBeUndefined();
  });
});
