import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Caller } from './support/caller.ts';
import { startHost, type TestHost } from './support/harness.ts';

let host: TestHost;
beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

const ALL = { elicitation: {}, sampling: {}, roots: { listChanged: true } };

async function opened(capabilities: Record<string, unknown> = ALL): Promise<Caller> {
  const caller = new Caller(host.url, host.launches.add({ slug: 'fix' }));
  caller.capabilities = capabilities;
  await caller.open();
  return caller;
}

/** The same session, from elsewhere. */
function elsewhere(caller: Caller): Caller {
  const other = new Caller(host.url, caller.serverId);
  other.sessionId = caller.sessionId;
  return other;
}

const toolCall = (id: number, name: string, args: Record<string, unknown>, _meta?: Record<string, unknown>) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(_meta === undefined ? {} : { _meta }) },
});

describe('a request of the server', () => {
  test('is put on the stream of the call that it serves, and the answer of the client reaches the server', async () => {
    const caller = await opened();
    const stream = await caller.stream(toolCall(1, 'request', { method: 'elicitation/create', params: { message: 'sure?' } }));
    const { message } = await stream.message();
    expect(message).toMatchObject({ id: 'r1', method: 'elicitation/create', params: { message: 'sure?' } });
    const answer = { jsonrpc: '2.0', id: 'r1', result: { action: 'accept' } };
    expect((await caller.post(answer)).status).toBe(202);
    const { message: result } = await stream.message();
    expect(JSON.parse(result.result?.content?.[0]?.text ?? '')).toEqual(answer);
    expect(await stream.next()).toBeNull();
    await caller.end();
  });

  test('parks the call: its connection may go, and whoever comes with the last event id, first or after answering, gets the result', async () => {
    for (const answersFirst of [true, false]) {
      const caller = await opened();
      const stream = await caller.stream(toolCall(1, 'request', { method: 'elicitation/create' }));
      const { id } = await stream.message();
      stream.leave();
      const other = elsewhere(caller);
      const answer = () => other.post({ jsonrpc: '2.0', id: 'r1', result: { action: 'decline' } });
      if (answersFirst) await answer();
      const resumed = await elsewhere(caller).listen(id);
      if (!answersFirst) await answer();
      const { message } = await resumed.message();
      expect(message).toMatchObject({ id: 1, result: { content: [{ text: expect.stringContaining('decline') }] } });
      expect(await resumed.next()).toBeNull();
      // Given twice, should the first have been lost on the way.
      expect((await (await other.listen(id)).message()).message.id).toBe(1);
      await caller.end();
    }
  });

  test('is answered once, and by no session that was not asked', async () => {
    const [caller, stranger] = [await opened(), await opened()];
    const stream = await caller.stream(toolCall(1, 'request', { method: 'roots/list' }));
    await stream.message();
    await stranger.post({ jsonrpc: '2.0', id: 'r1', result: { roots: ['of a stranger'] } });
    for (const roots of [['first'], ['second']]) await caller.post({ jsonrpc: '2.0', id: 'r1', result: { roots } });
    expect((await stream.message()).message.result?.content?.[0]?.text).toContain('first');
    expect(await caller.text('seen')).not.toContain('second');
    expect(await stranger.text('seen')).not.toContain('of a stranger');
    await Promise.all([caller.end(), stranger.end()]);
  });

  test('of a kind that the client did not declare is refused at once; one of an unknown kind is passed on', async () => {
    const caller = await opened({ elicitation: {} });
    expect(await caller.text('request', { method: 'sampling/createMessage' })).toContain('-32601');
    const stream = await caller.stream(toolCall(1, 'request', { method: 'x-vendor/ask' }));
    expect((await stream.message()).message.method).toBe('x-vendor/ask');
    stream.leave();
    await caller.end();
  });

  test('without a call to belong to goes to the general stream, also when that is opened later; a withdrawal follows it', async () => {
    const caller = await opened();
    await caller.text('request', { method: 'roots/list', later: 20 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    const general = await caller.listen();
    expect((await general.message()).message).toMatchObject({ id: 'r1', method: 'roots/list' });
    await caller.post({ jsonrpc: '2.0', id: 'r1', result: { roots: [] } });
    expect(await caller.text('seen')).toContain('"roots":[]');
    await caller.text('request', { method: 'roots/list', later: 0 });
    expect((await general.message()).message.id).toBe('r2');
    await caller.text('withdraw', { requestId: 'r2' });
    expect((await general.message()).message).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 'r2' } });
    general.leave();
    await caller.end();
  });
});

describe('streams', () => {
  test('what belongs to no call goes to the general stream and is resumed there; progress stays with its call', async () => {
    const caller = await opened();
    const general = await caller.listen();
    await caller.text('emit', { method: 'notifications/tools/list_changed' });
    const { id, message } = await general.message();
    expect(message.method).toBe('notifications/tools/list_changed');
    general.leave();
    await caller.call('progress', { steps: 1, ms: 1, text: 'x' }, { token: 't' });
    await caller.text('emit', { method: 'notifications/resources/updated', params: { uri: 'a:b' } });
    await caller.text('emit', { method: 'notifications/prompts/list_changed' });
    const resumed = await caller.listen(id);
    const methods = [(await resumed.message()).message.method, (await resumed.message()).message.method];
    expect(methods).toEqual(['notifications/resources/updated', 'notifications/prompts/list_changed']);
    resumed.leave();
    await caller.end();
  });

  test('a call that takes longer than a second gives a place to come back to, if its client can read that', async () => {
    const caller = await opened();
    const stream = await caller.stream(toolCall(1, 'sleep', { ms: 1_500, text: 'slept' }));
    const primer = await stream.next();
    expect(primer).toMatchObject({ data: '', id: expect.stringMatching(/^\d+-0$/) });
    stream.leave();
    const resumed = await elsewhere(caller).listen(primer?.id ?? '');
    expect((await resumed.message()).message.result?.content?.[0]?.text).toBe('slept');
    caller.protocolVersion = '2025-06-18';
    expect((await caller.call('sleep', { ms: 1_300, text: 'slept' })).type).toBe('application/json');
    await caller.end();
  });

  test('two calls at once are resumed apart, each with what is its own', async () => {
    const caller = await opened();
    const streams = await Promise.all(
      [1, 2].map((id) => caller.stream(toolCall(id, 'progress', { steps: 8, ms: 40, text: `of ${id}` }, { progressToken: id }))),
    );
    const ids = await Promise.all(streams.map(async (stream) => (await stream.message()).id));
    for (const stream of streams) stream.leave();
    for (const [index, id] of ids.entries()) {
      const resumed = await elsewhere(caller).listen(id);
      const messages = [];
      for (let at = 0; at < 8; at += 1) messages.push((await resumed.message()).message);
      expect(messages.slice(0, 7).map(({ params }) => params?.['progress'])).toEqual([2, 3, 4, 5, 6, 7, 8]);
      expect(messages.slice(0, 7).every(({ params }) => params?.['progressToken'] === index + 1)).toBe(true);
      expect(messages[7]?.id).toBe(index + 1);
    }
    await caller.end();
  });

  test("an event of no stream is refused, a stream of another session is nobody else's, and the end of a session ends its streams", async () => {
    const [caller, stranger] = [await opened(), await opened()];
    const stream = await caller.stream(toolCall(1, 'request', { method: 'roots/list' }));
    const { id } = await stream.message();
    expect((await stranger.listen(id)).response.status).toBe(400);
    expect((await caller.listen('nonsense')).response.status).toBe(400);
    const general = await caller.listen();
    await caller.end();
    expect(await general.next()).toBeNull();
    expect((await stream.message()).message.error).toMatchObject({ code: -31404 });
    expect((await caller.listen(id)).response.status).toBe(404);
    await stranger.end();
  });

  test('a host that stops sends away who listens, and does not wait for them', async () => {
    const stopping = await startHost({ drainMs: 30_000 });
    const caller = new Caller(stopping.url, stopping.launches.add({ slug: 'fix' }));
    await caller.open();
    const general = await caller.listen();
    const beganAtMs = Date.now();
    const stopped = stopping.stop();
    expect(await general.next()).toBeNull();
    await stopped;
    expect(Date.now() - beganAtMs).toBeLessThan(15_000);
  });

  test('a cancelled call ends its stream, also for whoever comes back for it', async () => {
    const caller = await opened();
    const stream = await caller.stream(toolCall(1, 'request', { method: 'roots/list' }));
    const { id } = await stream.message();
    stream.leave();
    await caller.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    expect(await (await caller.listen(id)).next()).toBeNull();
    await caller.end();
  });
});
