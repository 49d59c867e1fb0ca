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

  test('GET is not served yet; a missing generation, a wrong type, a batch and a first message other than initialize are refused', async () => {
    const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
    expect((await fetch(caller.url, { headers: caller.headers() })).status).toBe(405);
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

  test('requests of the server are refused in its own id, and its pings answered', async () => {
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
