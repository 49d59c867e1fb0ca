import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type ConnectedUpstream,
  startLegacyUpstream,
  startModernUpstream,
  startSseUpstream,
  startWebSocketUpstream,
} from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, connectCommand, legacyClient, REVISIONS, overWebSocket, sseClient, stdioClient, textOf } from '../support/clients.ts';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { callModern } from '../support/raw.ts';
import { until } from '../support/until.ts';

/** Its tools are the lines of a file. */
const CHANGING_SERVER = join(import.meta.dirname, '../../apps/stdio-host/test/fixtures/changing-server.mjs');

/** What Patchbay is for: official clients of every revision reach servers of every kind behind one address. */
export function mainJob(start: StartPlatform): void {
  let platform: TestPlatform;
  let legacy: Awaited<ReturnType<typeof startLegacyUpstream>>;
  let modern: Awaited<ReturnType<typeof startModernUpstream>>;
  let connected: ConnectedUpstream[] = [];
  const clients: { close(): Promise<void> }[] = [];

  async function open(how: (typeof REVISIONS)[number], server?: string): ReturnType<typeof connect> {
    const client = await connect(how, platform.mcpUrl(server), platform.facts.token);
    clients.push(client);
    return client;
  }

  beforeAll(async () => {
    [platform, legacy, modern] = await Promise.all([start(), startLegacyUpstream(), startModernUpstream()]);
    await Promise.all([
      platform.register('old', legacy.url, { headers: { 'x-upstream-key': 'sealed-value' } }),
      platform.register('new', modern.url),
    ]);
    const [sse, socket] = await Promise.all([startSseUpstream(), startWebSocketUpstream()]);
    connected = [sse, socket];
    const more = { headers: { 'x-upstream-key': 'sealed-value' } };
    await platform.register('streamed', sse.url, { kind: 'sse', ...more });
    await platform.register('socketed', socket.url, { kind: 'websocket', ...more });
  });

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close().catch(() => {})));
    await Promise.all([platform.dispose(), legacy.close(), modern.close(), ...connected.map((upstream) => upstream.close())]);
  });

  test('the local admin can sign in with the printed password', async () => {
    const { adminEmail, adminPassword, apiUrl, org } = platform.facts;
    const body = JSON.stringify({ organisation: org, email: adminEmail, password: adminPassword });
    const headers = { 'content-type': 'application/json', origin: apiUrl, 'patchbay-request': '1' };
    const answer = await fetch(`${apiUrl}/api/v1/session`, { method: 'POST', headers, body });
    expect(answer.ok).toBe(true);
    expect(answer.headers.get('set-cookie')).toMatch(/HttpOnly/i);
  });

  test('the Inspector, as the start page shows it, lists and calls a tool', async () => {
    const inspector = join(import.meta.dirname, '../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
    const common = ['--cli', platform.facts.mcpUrl, '--transport', 'http', '--header', `Authorization: Bearer ${platform.facts.token}`];
    const list = await promisify(execFile)(process.execPath, [inspector, ...common, '--method', 'tools/list']);
    expect(list.stdout).toContain('everything_echo');
    const call = await promisify(execFile)(process.execPath, [
      inspector,
      ...common,
      '--method',
      'tools/call',
      '--tool-name',
      'everything_echo',
      '--tool-arg',
      'message=inspected',
    ]);
    expect(call.stdout).toContain('inspected');
  }, 60_000);

  describe.each(REVISIONS)('an official client of %s', (how) => {
    test('finds every server behind one URL, names prefixed', async () => {
      const client = await open(how);
      const { tools } = await client.listTools();
      const names = tools.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['everything_echo', 'memory_create_entities', 'old_echo', 'new_echo']));
      const { prompts } = await client.listPrompts();
      expect(prompts.map(({ name }) => name)).toEqual(expect.arrayContaining(['old_greet', 'new_greet']));
    });

    test('calls tools of servers of either era through one URL', async () => {
      const client = await open(how);
      expect(textOf(await client.callTool({ name: 'everything_echo', arguments: { message: 'hi' } }))).toBe('Echo: hi');
      expect(textOf(await client.callTool({ name: 'old_echo', arguments: { message: 'hi' } }))).toBe('legacy:hi');
      expect(textOf(await client.callTool({ name: 'new_echo', arguments: { message: 'hi' } }))).toBe('modern:hi');
      expect(textOf(await client.callTool({ name: 'sum', arguments: { a: 2, b: 3 } }))).toBe('5');
    });

    test.each(['streamed', 'socketed'])('uses %s, a server on one connection, like any other', async (slug) => {
      const aggregated = await open(how);
      expect(textOf(await aggregated.callTool({ name: `${slug}_echo`, arguments: { message: 'hi' } }))).toBe('legacy:hi');
      const own = await open(how, slug);
      expect((await own.listTools()).tools.map(({ name }) => name)).toContain('echo');
      expect((await own.readResource({ uri: 'note://one' })).contents).toMatchObject([{ text: 'first note' }]);
      const seen: number[] = [];
      const onprogress = ({ progress }: { progress: number }): void => void seen.push(progress);
      await own.callTool({ name: 'steps', arguments: { steps: 3 } }, { onprogress });
      expect(seen.slice(0, 2)).toEqual([1, 2]);
      for (const { seenHeaders } of connected)
        for (const headers of seenHeaders) expect(headers).toMatchObject({ 'x-upstream-key': 'sealed-value' });
    });

    test('gets prompts by their prefixed names', async () => {
      const client = await open(how);
      const prompt = await client.getPrompt({ name: 'old_greet', arguments: { name: 'Ada' } });
      expect(JSON.stringify(prompt.messages)).toContain('Hello Ada');
    });

    test('reads resources, templates and completions of every server behind one URL, under URIs that name it', async () => {
      const client = await open(how);
      const { resources } = await client.listResources();
      expect(resources.map(({ uri }) => uri)).toEqual(expect.arrayContaining(['patchbay+old+note://one', 'patchbay+new+note://modern']));
      const read = await client.readResource({ uri: 'patchbay+old+note://one' });
      expect(read.contents).toEqual([{ uri: 'patchbay+old+note://one', text: 'first note' }]);
      expect((await client.readResource({ uri: 'note://modern' })).contents).toMatchObject([{ uri: 'note://modern', text: 'modern note' }]);
      const templates = (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate);
      expect(templates).toContain('patchbay+old+file:///{+path}');
      expect((await client.readResource({ uri: 'patchbay+old+file:///a/b' })).contents).toMatchObject([{ text: 'file /a/b' }]);
      const ref = { type: 'ref/prompt', name: 'old_greet' } as const;
      expect((await client.complete({ ref, argument: { name: 'name', value: 'a' } })).completion.values).toEqual(['ada', 'alan']);
    });

    test('sees one server under its own names, instructions included', async () => {
      const client = await open(how, 'old');
      expect(client.getServerVersion()?.name).toBe('legacy-fixture');
      expect(client.getInstructions()).toBe('Speak plainly.');
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo', 'count', 'fail', 'steps', 'sleep']);
      expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'x' } }))).toBe('legacy:x');
      expect(await client.callTool({ name: 'fail' })).toMatchObject({ isError: true });
    });

    test('reads resources, templates and completions of one server', async () => {
      const client = await open(how, 'old');
      expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual(['note://one']);
      expect((await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual(['file:///{+path}']);
      expect((await client.readResource({ uri: 'note://one' })).contents).toMatchObject([{ text: 'first note' }]);
      expect((await client.readResource({ uri: 'file:///a/b' })).contents).toMatchObject([{ text: 'file /a/b' }]);
      const { completion } = await client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'name', value: 'a' } });
      expect(completion.values).toEqual(['ada', 'alan']);
    });

    test('sees the progress of a long call as it happens', async () => {
      const client = await open(how, 'old');
      const seen: number[] = [];
      const result = await client.callTool(
        { name: 'steps', arguments: { steps: 5 } },
        {
          onprogress: ({ progress }: { progress: number }) => seen.push(progress),
        },
      );
      expect(textOf(result)).toBe('5 steps');
      expect(seen).toEqual([1, 2, 3, 4, 5]);
    });

    test('cancels a call, and the next one works', async () => {
      const client = await open(how, 'old');
      const controller = new AbortController();
      const startedAt = Date.now();
      const call = client.callTool({ name: 'sleep', arguments: { ms: 20_000 } }, { signal: controller.signal });
      setTimeout(() => controller.abort(), 100);
      await expect(call).rejects.toThrow();
      expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'after' } }))).toBe('legacy:after');
      expect(Date.now() - startedAt).toBeLessThan(5_000);
    });

    test('keeps what memory was told, for everyone who may use it', async () => {
      const client = await open(how, 'memory');
      const name = `entity ${how}`;
      await client.callTool({ name: 'create_entities', arguments: { entities: [{ name, entityType: 'test', observations: ['seen'] }] } });
      const other = await open(how);
      expect(textOf(await other.callTool({ name: 'memory_search_nodes', arguments: { query: name } }))).toContain(name);
    });
  });

  test.each(['1.32', '2.4'] as const)(
    'a client %s that can only start a program reaches servers of either era through patchbay connect',
    async (version) => {
      const client = await stdioClient(version, connectCommand([platform.mcpUrl()], { PATCHBAY_TOKEN: platform.facts.token }));
      clients.push(client);
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['everything_echo', 'old_echo', 'new_echo']),
      );
      expect(textOf(await client.callTool({ name: 'old_echo', arguments: { message: 'hi' } }))).toBe('legacy:hi');
      expect(textOf(await client.callTool({ name: 'new_echo', arguments: { message: 'hi' } }))).toBe('modern:hi');
    },
  );

  test('a client of HTTP+SSE calls servers of either era, whichever gateway its POSTs land on', async () => {
    const client = await sseClient(platform.mcpUrl().replace(/mcp$/, 'sse'), platform.facts.token);
    clients.push(client);
    for (const message of ['one', 'two', 'three'])
      expect(textOf(await client.callTool({ name: 'old_echo', arguments: { message } }))).toBe(`legacy:${message}`);
    expect(textOf(await client.callTool({ name: 'new_echo', arguments: { message: 'hi' } }))).toBe('modern:hi');
    for (const slug of ['streamed', 'socketed'])
      expect(textOf(await client.callTool({ name: `${slug}_echo`, arguments: { message: 'hi' } }))).toBe('legacy:hi');
    expect(textOf(await client.callTool({ name: 'everything_echo', arguments: { message: 'hi' } }))).toBe('Echo: hi');
  });

  test.each([0, 1])('a tool that a server on one connection adds is heard of, listed and called (server %i)', async (which) => {
    const slug = ['streamed', 'socketed'][which] ?? '';
    const client = await open('2025-11-25 (client 2.4)');
    let heard = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => void (heard += 1));
    connected[which]?.addTool('fresh');
    await until(async () => (await client.listTools()).tools.some(({ name }) => name === `${slug}_fresh`), { what: 'the tool' });
    await until(async () => heard > 0, { what: 'the notification' });
    expect(textOf(await client.callTool({ name: `${slug}_fresh`, arguments: {} }))).toBe('fresh');
  });

  test('a browser reaches a server over a WebSocket, with a ticket in place of its token', async () => {
    const url = (platform.endpoints('old')[0] ?? '').replace(/mcp$/, 'ws');
    const { origin } = new URL(url);
    const headers = { authorization: `Bearer ${platform.facts.token}`, origin };
    const { ticket } = (await (await fetch(url, { method: 'POST', headers })).json()) as { ticket: string };
    const said = await overWebSocket(url, { headers: { origin }, first: { ticket } });
    expect(said).toMatchObject({ id: 0, result: { serverInfo: { name: 'legacy-fixture' } } });
    expect(await overWebSocket(url, { headers: { origin: 'https://evil.example' }, first: { ticket } })).toBe('refused');
    expect(await overWebSocket(url, { headers: { origin }, first: { ticket } })).toBe(4401);
  });

  test('two clients of one principal with equal request ids never get each other’s answers', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        callModern(platform.mcpUrl('old'), platform.facts.token, 'tools/call', { name: 'echo', arguments: { message: `m${index}` } }),
      ),
    );
    for (const [index, { json }] of answers.entries())
      expect(json).toMatchObject({ id: 1, result: { content: [{ text: `legacy:m${index}` }], resultType: 'complete' } });
  });

  test('legacy sessions keep their own state on the upstream', async () => {
    const [first, second] = await Promise.all([
      legacyClient(platform.mcpUrl('old'), platform.facts.token),
      legacyClient(platform.mcpUrl('old'), platform.facts.token),
    ]);
    clients.push(first, second);
    await first.callTool({ name: 'count' });
    expect(textOf(await first.callTool({ name: 'count' }))).toBe('2');
    expect(textOf(await second.callTool({ name: 'count' }))).toBe('1');
  });

  test('an upstream that restarts and forgets its sessions is opened again without the client noticing', async () => {
    const own = await open('2025-11-25 (client 1.32)', 'old');
    const aggregated = await open('2025-11-25 (client 1.32)');
    await aggregated.callTool({ name: 'old_count' });
    legacy.forgetSessions();
    expect(textOf(await own.callTool({ name: 'echo', arguments: { message: 'again' } }))).toBe('legacy:again');
    expect(textOf(await aggregated.callTool({ name: 'old_echo', arguments: { message: 'again' } }))).toBe('legacy:again');
  });

  test('the upstream gets its own credential and nothing of the caller', async () => {
    const client = await open('2026-07-28 (client 2.4)', 'old');
    await client.callTool({ name: 'echo', arguments: { message: 'x' } });
    const seen = legacy.seenHeaders.at(-1);
    expect(seen?.['x-upstream-key']).toBe('sealed-value');
    expect(JSON.stringify(legacy.seenHeaders)).not.toContain(platform.facts.token);
    expect(seen).not.toHaveProperty('authorization');
    expect(seen?.['mcp-method']).toBeUndefined();
  });

  test('a stdio server sees what was configured for it and nothing of ours', async () => {
    await platform.api.expect(200, 'PATCH', '/servers/everything', { env: { GREETING: 'configured' } });
    await platform.api.discovered('everything');
    const client = await open('2025-11-25 (client 1.32)');
    const env = await until(
      async () => {
        const seen = textOf(await client.callTool({ name: 'everything_get-env', arguments: {} }));
        return seen.includes('configured') ? seen : null;
      },
      { what: 'the new environment' },
    );
    for (const secret of ['PATCHBAY', 'DATABASE', '_KEY_FILE', '_SECRET', platform.facts.token]) expect(env).not.toContain(secret);
    // Its admins see it run, on whichever host.
    const shown = await platform.api.expect(200, 'GET', '/servers/everything/processes');
    expect(shown).toMatchObject({ silentHosts: 0, failing: [] });
    expect(shown['processes']).toContainEqual(expect.objectContaining({ current: true, state: 'ready' }));
  });

  test.each(['session', 'shared'])(
    'a stdio server that changes its list while it is used is heard of in both eras, and listed by then (%s)',
    async (isolation) => {
      const slug = `changing-${isolation}`;
      const folder = mkdtempSync(join(tmpdir(), 'patchbay-changing-'));
      const list = (...tools: string[]): void => writeFileSync(join(folder, 'tools'), tools.join('\n'));
      list('first');
      try {
        const args = [CHANGING_SERVER, join(folder, 'tools')];
        await platform.api.expect(201, 'POST', '/servers', { kind: 'stdio', slug, command: 'node', args, isolation });
        await platform.api.grantAll(slug);
        await platform.api.discovered(slug);
        const [old, fresh] = [await open('2025-11-25 (client 2.4)'), await open('2026-07-28 (client 2.4)')];
        const told = new Set<object>();
        for (const client of [old, fresh]) {
          const lists = async (name: string) => (await client.listTools()).tools.some((tool) => tool.name === `${slug}_${name}`);
          await until(() => lists('first'), { what: 'the first tool' });
          // Who asks when it is told, and then alone, finds it only if the catalogue has it by then.
          client.setNotificationHandler('notifications/tools/list_changed', async () => {
            if (await lists('fresh')) told.add(client);
          });
          if (client === fresh) await client.listen({ toolsListChanged: true });
          expect(textOf(await client.callTool({ name: `${slug}_first`, arguments: {} }))).toBe('first');
        }
        list('first', 'fresh');
        await until(async () => told.size === 2, { what: 'both clients hear it', timeoutMs: 20_000 });
        expect(textOf(await old.callTool({ name: `${slug}_fresh`, arguments: {} }))).toBe('fresh');
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  test('deleting a session ends it for good', async () => {
    const client = await legacyClient(platform.mcpUrl('old'), platform.facts.token);
    const transport = client.transport as unknown as { sessionId: string; terminateSession(): Promise<void> };
    const { sessionId } = transport;
    await transport.terminateSession();
    const answer = await fetch(platform.mcpUrl('old'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${platform.facts.token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': sessionId,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect(answer.status).toBe(404);
    await client.close();
  });
}
