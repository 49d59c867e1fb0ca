import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { SECRET, startHost, statusOf, type TestHost } from './support/harness.ts';

let host: TestHost;
beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

describe('who may ask', () => {
  test('a wrong or missing secret gets 401 before anything else is looked at', async () => {
    for (const authorization of ['Bearer wrong', `Basic ${SECRET}`, '']) {
      const response = await fetch(`${host.url}/status`, { headers: { authorization } });
      expect(response.status).toBe(401);
    }
    expect(host.launches.asked).toEqual([]);
  });

  test('liveness needs no secret', async () => {
    expect((await fetch(`${host.url}/livez`)).status).toBe(200);
  });

  test('a request for another Host is refused, so that no web page reaches us by a name of its own', async () => {
    const status = await new Promise((resolve) => {
      const headers = { host: 'evil.example', authorization: `Bearer ${SECRET}` };
      request(`${host.url}/status`, { headers }, (response) => resolve(response.statusCode)).end();
    });
    expect(status).toBe(421);
  });
});

describe('the transport', () => {
  test('initialize opens a session with an unguessable id, and DELETE ends it and its process', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    const opened = await caller.open();
    expect(opened.messages[0]?.result).toMatchObject({ serverInfo: { name: 'fixture' } });
    expect(Buffer.from(opened.sessionId ?? '', 'base64url')).toHaveLength(32);
    expect(await caller.text('echo', { text: 'hello' })).toBe('hello');
    expect(await caller.end()).toBe(204);
    expect((await caller.call('echo')).status).toBe(404);
    expect(await caller.end()).toBe(404);
  });

  test('a session is good on its own server only', async () => {
    const one = new Caller(host.url, host.launches.add({ slug: 'one' }));
    const other = new Caller(host.url, host.launches.add({ slug: 'other' }));
    await one.open();
    other.sessionId = one.sessionId;
    expect((await other.call('echo')).status).toBe(404);
    await one.end();
  });

  test('a missing generation, a wrong type, a batch, another method and a first message other than initialize are refused', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    expect((await fetch(caller.url, { method: 'PUT', headers: caller.headers() })).status).toBe(405);
    const without = { ...caller.headers() };
    delete without['patchbay-generation'];
    expect((await caller.post('{}', { headers: without })).status).toBe(400);
    expect((await caller.post('{}', { headers: { ...caller.headers(), 'content-type': 'text/plain' } })).status).toBe(415);
    expect((await caller.post('[]')).status).toBe(400);
    expect((await caller.call('echo')).status).toBe(400);
  });

  test('a body over 16 MiB is refused with 413, announced or not', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    const tooMany = 16 * 1024 * 1024 + 1;
    for (const headers of [{ 'content-length': tooMany }, { 'transfer-encoding': 'chunked' }]) {
      const status = await new Promise((resolve, reject) => {
        const sent = request(caller.url, { method: 'POST', headers: { ...caller.headers(), ...headers } }, (answer) =>
          resolve(answer.statusCode),
        );
        sent.on('error', reject);
        if ('content-length' in headers) sent.flushHeaders();
        else sent.write(Buffer.alloc(tooMany, ' '));
      });
      expect(status).toBe(413);
    }
  });

  test('an unknown server and an unreachable control plane are told apart, in words', async () => {
    const gone = await new Caller(host.url, '00000000-0000-4000-8000-000000000000').open();
    expect(gone.messages[0]?.error?.code).toBe(-31513);
    const lonely = await startHost();
    await lonely.launches.stop();
    const away = await new Caller(lonely.url, '00000000-0000-4000-8000-000000000000').open();
    expect(away.messages[0]?.error).toMatchObject({ code: -31512, message: expect.stringContaining('control plane') });
    await lonely.stop();
  });

  test('a launch specification is asked once and kept, so that a known server starts while the control plane is away', async () => {
    const lonely = await startHost();
    const caller = new Caller(lonely.url, lonely.launches.add({ slug: 'kept' }));
    await caller.open();
    await caller.end();
    await lonely.launches.stop();
    expect((await caller.open()).status).toBe(200);
    expect(await caller.text('echo', { text: 'still here' })).toBe('still here');
    await lonely.stop();
  });
});

describe('messages', () => {
  test('answer as JSON when the response comes first, as an event stream when something comes before it', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    await caller.open();
    expect((await caller.call('echo', { text: 'x' })).type).toBe('application/json');
    const stream = await caller.call('progress', { steps: 2, ms: 5, text: 'done' }, { token: 'tok' });
    expect(stream.type).toBe('text/event-stream');
    expect(stream.messages.map(({ params }) => params?.['progressToken'])).toEqual(['tok', 'tok', undefined]);
    const logged = await caller.call('log');
    expect(logged.messages.map(({ method }) => method)).toEqual(['notifications/message', undefined]);
    await caller.end();
  });

  test('a pretty-printed body reaches the server as one line with every string intact, and big numbers come back as written', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    await caller.open();
    const body = {
      jsonrpc: '2.0',
      id: 'a"b',
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'two\nlines\r and "quotes"' } },
    };
    const answer = await caller.post(JSON.stringify(body, null, 2).replaceAll('\n', '\r\n'));
    expect(answer.messages[0]?.id).toBe('a"b');
    expect(answer.messages[0]?.result?.content?.[0]?.text).toBe('two\nlines\r and "quotes"');
    expect((await caller.call('raw')).text).toBe('{ "id" : 1, "result":{"big":12345678901234567890,"content":[]} ,"jsonrpc":"2.0"}');
    await caller.end();
  });

  test('requests of the server that its client did not declare are refused in its own id, and its pings answered', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    await caller.open();
    const [sampling, ping] = JSON.parse(await caller.text('ask'));
    expect(sampling).toMatchObject({ id: 'q1', error: { code: -32601 } });
    expect(ping).toMatchObject({ id: 'q2', result: {} });
    await caller.end();
  });

  test('a cancelled request stops waiting, and the server is told', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    await caller.open();
    const hanging = caller.call('hang', {}, { id: 'h' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await caller.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'h' } })).status).toBe(202);
    expect((await hanging).messages).toEqual([]);
    expect(await caller.text('seen')).toContain('"requestId":"h"');
    await caller.end();
  });

  test('a second request with an id that is still in flight is refused', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    await caller.open();
    const slow = caller.call('progress', { steps: 1, ms: 200, text: 'first' }, { id: 7 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await caller.call('echo', { text: 'second' }, { id: 7 })).messages[0]?.error?.code).toBe(-32600);
    expect((await slow).messages.at(-1)?.result?.content?.[0]?.text).toBe('first');
    await caller.end();
  });
});

describe('isolation', () => {
  test('session: each session has a process and state of its own', async () => {
    const serverId = host.launches.add({ slug: 'apart' });
    const [a, b] = [new Caller(host.url, serverId), new Caller(host.url, serverId)];
    await Promise.all([a.open(), b.open()]);
    expect(await a.text('count')).toBe('1');
    expect(await a.text('count')).toBe('2');
    expect(await b.text('count')).toBe('1');
    await Promise.all([a.end(), b.end()]);
  });

  test('shared: sessions with equal ids and progress tokens get their own answers only, from one process', async () => {
    const serverId = host.launches.add({ slug: 'together', isolation: 'shared' });
    const callers = Array.from({ length: 8 }, () => new Caller(host.url, serverId));
    await Promise.all(callers.map((caller) => caller.open()));
    const answers = await Promise.all(
      callers.map((caller, index) => caller.call('progress', { steps: 5, ms: 3, text: `of ${index}` }, { id: 1, token: 1 })),
    );
    for (const [index, { messages }] of answers.entries()) {
      expect(messages).toHaveLength(6);
      expect(messages.slice(0, 5).map(({ params }) => [params?.['progressToken'], params?.['message']])).toEqual(
        Array.from({ length: 5 }, () => [1, `of ${index}`]),
      );
      expect(messages[5]).toMatchObject({ id: 1, result: { content: [{ text: `of ${index}` }] } });
    }
    const running = (await statusOf(host.url)).processes.filter((process) => process.serverId === serverId);
    expect(running).toMatchObject([{ sessions: 8, isolation: 'shared', state: 'ready' }]);
  });

  test('principal: the sessions of one share a process, with answers, progress and questions of their own; another has another', async () => {
    const serverId = host.launches.add({ slug: 'personal', isolation: 'principal' });
    const as = async (principal: string, capabilities: Record<string, unknown> = { elicitation: {} }) => {
      const caller = Object.assign(new Caller(host.url, serverId), { principal, capabilities });
      await caller.open();
      return caller;
    };
    const [one, two, other] = await Promise.all([as('ada'), as('ada'), as('grace')]);
    expect([await one.text('count'), await two.text('count'), await other.text('count')]).toEqual(['1', '2', '1']);
    const both = await Promise.all(
      [one, two].map((caller, index) => caller.call('progress', { steps: 3, ms: 3, text: `of ${index}` }, { id: 1, token: 1 })),
    );
    for (const [index, { messages }] of both.entries()) {
      expect(messages.map(({ params, result }) => params?.['message'] ?? result?.content?.[0]?.text)).toEqual(Array(4).fill(`of ${index}`));
    }
    const request = { name: 'request', arguments: { method: 'elicitation/create' } };
    const asked = await two.stream({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: request });
    const { message } = await asked.message();
    // The right principal, but not the session that was asked.
    await one.post({ jsonrpc: '2.0', id: message.id, result: { action: 'accept', content: { from: 'the wrong one' } } });
    await two.post({ jsonrpc: '2.0', id: message.id, result: { action: 'decline' } });
    expect((await asked.message()).message).toMatchObject({ id: 1, result: { content: [{ text: expect.stringContaining('decline') }] } });
    // One that declared nothing gets a process that was told so, and is asked nothing.
    const plain = await as('ada', {});
    expect(await plain.text('count')).toBe('1');
    expect(await plain.text('request', { method: 'elicitation/create' })).toContain('-32601');
    await Promise.all([one, two, other, plain].map((caller) => caller.end()));
  });

  test('principal: a session that gives up a subscription, or ends, takes nothing from another', async () => {
    const serverId = host.launches.add({ slug: 'personal', isolation: 'principal' });
    const [one, two, three] = [1, 2, 3].map(() => Object.assign(new Caller(host.url, serverId), { principal: 'ada' })) as [
      Caller,
      Caller,
      Caller,
    ];
    for (const caller of [one, two, three]) await caller.open();
    const ask = (caller: Caller, what: 'subscribe' | 'unsubscribe', uri = 'a:b') =>
      caller.post({ jsonrpc: '2.0', id: 1, method: `resources/${what}`, params: { uri } });
    const told = async () => ((await one.text('seen')).match(/resources\/unsubscribe/g) ?? []).length;
    for (const caller of [one, two, three]) await ask(caller, 'subscribe');
    await ask(three, 'subscribe', 'c:d');
    expect((await ask(one, 'unsubscribe')).messages[0]).toMatchObject({ id: 1, result: {} });
    expect(await told()).toBe(0);
    await ask(two, 'unsubscribe');
    expect(await told()).toBe(0);
    await three.end();
    expect(await told()).toBe(2);
    await ask(one, 'subscribe');
    await ask(one, 'unsubscribe');
    expect(await told()).toBe(3);
    await Promise.all([one.end(), two.end()]);
  });

  test('no process is ever used by two organisations, whatever they share', async () => {
    for (const isolation of ['session', 'principal', 'shared'] as const) {
      const serverId = host.launches.add({ slug: 'mine', isolation });
      const ours = Object.assign(new Caller(host.url, serverId), { principal: 'ada' });
      const theirs = Object.assign(new Caller(host.url, serverId), { principal: 'ada', organisation: randomUUID() });
      await Promise.all([ours.open(), theirs.open()]);
      expect([await ours.text('count'), await ours.text('count'), await theirs.text('count')]).toEqual(['1', '2', '1']);
      const [stolen] = [Object.assign(new Caller(host.url, serverId), { organisation: theirs.organisation, sessionId: ours.sessionId })];
      expect((await stolen.call('count')).status).toBe(404);
      await Promise.all([ours.end(), theirs.end()]);
    }
  });

  test('shared: of what the server says unasked only list changes leave it, to every session; and no capability is shown that a session has not', async () => {
    const serverId = host.launches.add({ slug: 'together', isolation: 'shared' });
    const [a, b] = [new Caller(host.url, serverId), new Caller(host.url, serverId)];
    const [opened] = await Promise.all([a.open(), b.open()]);
    expect(opened.messages[0]?.result?.['capabilities']).toEqual({ tools: {}, resources: { subscribe: false } });
    const streams = await Promise.all([a.listen(), b.listen()]);
    await a.text('emit', { method: 'notifications/message', params: { level: 'info', data: 'secret of a' } });
    await a.text('emit', { method: 'notifications/resources/updated', params: { uri: 'a:b' } });
    expect(await a.text('request', { method: 'roots/list' })).toContain('-32601');
    await a.text('emit', { method: 'notifications/tools/list_changed' });
    for (const stream of streams) {
      expect((await stream.message()).message.method).toBe('notifications/tools/list_changed');
      stream.leave();
    }
  });

  test('shared: the server sees one initialize, without client capabilities, and every session its result', async () => {
    const serverId = host.launches.add({ slug: 'together', isolation: 'shared' });
    const [a, b] = [new Caller(host.url, serverId), new Caller(host.url, serverId)];
    const opened = await Promise.all([a.open(), b.open()]);
    expect(opened.map(({ messages }) => messages[0]?.result?.['serverInfo'])).toEqual([
      { name: 'fixture', version: '1' },
      { name: 'fixture', version: '1' },
    ]);
    const seen = JSON.parse(await a.text('seen')) as { method?: string; params?: { capabilities?: unknown } }[];
    expect(seen.filter(({ method }) => method === 'initialize').map(({ params }) => params?.capabilities)).toEqual([{}]);
    expect(seen.filter(({ method }) => method === 'notifications/initialized')).toHaveLength(1);
  });

  test('shared: a cancellation reaches the own request only, and what would change the process for all is refused', async () => {
    const serverId = host.launches.add({ slug: 'together', isolation: 'shared' });
    const [a, b] = [new Caller(host.url, serverId), new Caller(host.url, serverId)];
    await Promise.all([a.open(), b.open()]);
    const slow = a.call('progress', { steps: 1, ms: 300, text: 'mine' }, { id: 5 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await b.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } });
    expect((await slow).messages.at(-1)?.result?.content?.[0]?.text).toBe('mine');
    expect(await b.text('seen')).not.toContain('cancelled');
    expect((await a.post({ jsonrpc: '2.0', id: 1, method: 'logging/setLevel', params: { level: 'debug' } })).messages[0]?.error?.code).toBe(
      -32601,
    );
    expect(await a.end()).toBe(204);
    expect(await b.text('echo', { text: 'unharmed' })).toBe('unharmed');
  });
});
