import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { listen, type Listening, startLegacyUpstream } from '@patchbay/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { startConformanceServer } from './conformance/fixture/conformance-server.ts';
import { textOf } from './support/clients.ts';
import { until } from './support/until.ts';

const PROGRAM = join(import.meta.dirname, '../apps/cli/dist/main.js');
const TOKEN = 'a-token';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function emptyHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'patchbay-connect-'));
  cleanups.push(() => rmSync(home, { recursive: true }));
  return home;
}

/** How a stdio-only client starts the bridge. */
function command(url: string, env: Record<string, string> = {}) {
  const all = { PATH: process.env['PATH'] ?? '', PATCHBAY_HOME: emptyHome(), PATCHBAY_TOKEN: TOKEN, ...env };
  return { command: process.execPath, args: [PROGRAM, 'connect', url], env: all, stderr: 'ignore' as const };
}

async function serve(speaksTo: Parameters<typeof startConformanceServer>[0]): Promise<Listening> {
  const server = await startConformanceServer(speaksTo);
  cleanups.push(() => server.close());
  return server;
}

async function legacyClient(url: string): Promise<LegacyClient> {
  const client = new LegacyClient({ name: 'stdio-only', version: '1.0.0' }, { capabilities: { elicitation: {}, sampling: {} } });
  cleanups.push(() => client.close());
  await client.connect(new LegacyStdio(command(url)));
  return client;
}

async function modernClient(url: string): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'stdio-only', version: '1.0.0' },
    { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  cleanups.push(() => client.close());
  await client.connect(new ModernStdio(command(url)));
  return client;
}

describe('a stdio client of 2025-11-25', () => {
  test('lists and calls, and is asked by the server while a call runs', async () => {
    const { url } = await serve('legacy');
    const client = await legacyClient(url);
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { username: 'ada', email: 'a@b.c' } }));
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      model: 'm',
      content: { type: 'text', text: 'Paris' },
    }));
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_sampling');
    expect(textOf(await client.callTool({ name: 'test_sampling', arguments: { prompt: 'x' } }))).toBe('LLM response: Paris');
    const asked = await client.callTool({ name: 'test_elicitation', arguments: { message: 'Who?' } });
    expect(textOf(asked)).toContain('"username":"ada"');
  });

  test('hears progress, log messages and that a list changed, each on the stream where the server says it', async () => {
    const { url } = await serve('legacy');
    const client = await legacyClient(url);
    const [logged, changed, progress]: [unknown[], unknown[], number[]] = [[], [], []];
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data));
    client.setNotificationHandler(ToolListChangedNotificationSchema, ({ method }) => void changed.push(method));
    await client.setLoggingLevel('info');
    await client.callTool({ name: 'test_tool_with_logging' });
    expect(logged).toHaveLength(3);
    await client.callTool({ name: 'test_tool_with_progress' }, undefined, { onprogress: (each) => progress.push(each.progress) });
    // The client forgets a last step that it reads in one piece with the answer, as it may from any stdio server.
    expect(progress.slice(0, 2)).toEqual([0, 50]);
    await until(
      async () => {
        await client.callTool({ name: 'test_trigger_tool_change' });
        return changed.length > 0;
      },
      { what: 'the change, once the stream of the server’s own messages stands' },
    );
  });

  test('gets the answer of a call whose stream the server cut and went on with', async () => {
    const { url } = await serve('legacy');
    const client = await legacyClient(url);
    expect(textOf(await client.callTool({ name: 'test_reconnection' }))).toBe('Answered after the stream was cut');
  });

  test('does not notice that the server forgot its session, and ends the one it has at the end', async () => {
    const server = await startLegacyUpstream();
    cleanups.push(() => server.close());
    const client = await legacyClient(server.url);
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'one' } }))).toBe('legacy:one');
    server.forgetSessions();
    const answers = await Promise.all(['two', 'three'].map((message) => client.callTool({ name: 'echo', arguments: { message } })));
    expect(answers.map(textOf)).toEqual(['legacy:two', 'legacy:three']);
    expect(server.sessions()).toHaveLength(1);
    await client.close();
    expect(server.sessions()).toEqual([]);
    expect(server.seenHeaders.every(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
  });
});

describe('a stdio client of 2026-07-28', () => {
  test('lists and calls, gives what a call needs to know, and sends the headers that its transport has no place for', async () => {
    const { url } = await serve('modern');
    const client = await modernClient(url);
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
    // Before any list: the headers that the tool wants are found out when the server asks for them.
    expect(textOf(await client.callTool({ name: 'test_header_argument', arguments: { region: 'Zürich' } }))).toBe('region Zürich');
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_header_argument');
    expect(textOf(await client.callTool({ name: 'test_header_argument', arguments: { region: 'west' } }))).toBe('region west');
    expect(textOf(await client.callTool({ name: 'test_input_required_result_elicitation' }))).toBe('Hello, Ada!');
  });

  test('hears that a list changed, and no more once it has stopped listening', async () => {
    const { url } = await serve('modern');
    const client = await modernClient(url);
    let heard = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => void (heard += 1));
    const subscription = await client.listen({ toolsListChanged: true });
    await client.callTool({ name: 'test_trigger_tool_change' });
    await until(async () => heard === 1, { what: 'the change' });
    await subscription.close();
    await client.callTool({ name: 'test_trigger_tool_change' });
    expect(heard).toBe(1);
  });

  test('cancelling closes the connection of the call and sends nothing', async () => {
    const { url, closed, methods } = await hangingServer();
    const bridge = raw(url);
    bridge.say({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow', _meta: META } });
    await until(async () => methods.length === 1, { what: 'the call' });
    bridge.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await until(async () => closed.length === 1, { what: 'the end of its connection' });
    expect(methods).toEqual(['tools/call']);
    expect(bridge.heard).toEqual([]);
  });

  test('is told to look again when its subscription was cut and stands again, and gets one acknowledgement', async () => {
    const server = await cuttingServer();
    const bridge = raw(server.url);
    bridge.say({
      jsonrpc: '2.0',
      id: 'l',
      method: 'subscriptions/listen',
      params: { _meta: META, notifications: { toolsListChanged: true } },
    });
    await until(async () => bridge.heard.length >= 2, { what: 'two messages', timeoutMs: 10_000 });
    expect(server.streams()).toBe(2);
    expect(bridge.heard.map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/tools/list_changed',
    ]);
    expect(bridge.heard[1]).toMatchObject({ params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'l' } } });
  });
});

test('each request gets its one answer, whatever the endpoint says: an error of its own, plain HTTP, a cut, nothing at all', async () => {
  const answers: Record<string, (response: ServerResponse) => void> = {
    own: (response) => response.writeHead(401, JSON_TYPE).end('{"jsonrpc":"2.0","id":null,"error":{"code":-31401,"message":"no"}}'),
    page: (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>'),
    cut: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hello\n\n', () => response.destroy());
    },
    lines: (response) => response.writeHead(200, JSON_TYPE).end('{\n"jsonrpc":"2.0",\r\n"id":"lines","result":{}\n}\n'),
  };
  const server = await startServer(async (request, response) => {
    const { id } = JSON.parse(await bodyOf(request)) as { id: string };
    answers[id]?.(response);
  });
  const bridge = raw(server.url);
  for (const id of Object.keys(answers)) bridge.say({ jsonrpc: '2.0', id, method: 'tools/list' });
  await until(async () => bridge.heard.length === 4, { what: 'four answers' });
  const byId = Object.fromEntries(bridge.heard.map((message) => [message.id, message]));
  expect(byId['own']).toEqual({ jsonrpc: '2.0', id: 'own', error: { code: -31401, message: 'no' } });
  expect(byId['page']).toMatchObject({ error: { code: -31505, message: expect.stringContaining('HTTP 502') } });
  expect(byId['cut']).toMatchObject({ error: { code: -31505, message: expect.stringContaining('may have been executed') } });
  expect(byId['lines']).toMatchObject({ result: {} });
});

test('an endpoint that is not there yet is waited for; a token that was replaced is read again', async () => {
  const { port, close } = await startServer(() => undefined);
  await close();
  const file = join(emptyHome(), 'token');
  writeFileSync(file, 'old\n');
  const bridge = raw(`http://127.0.0.1:${port}/mcp`, { PATCHBAY_TOKEN: '', PATCHBAY_TOKEN_FILE: file });
  bridge.say({ jsonrpc: '2.0', id: 1, method: 'ping' });
  await new Promise((resolve) => setTimeout(resolve, 600));
  writeFileSync(file, 'new\n');
  const server = await startServer((request, response) => {
    const isNew = request.headers.authorization === 'Bearer new';
    response.writeHead(isNew ? 200 : 401, JSON_TYPE).end(isNew ? '{"jsonrpc":"2.0","id":1,"result":{}}' : '{}');
  }, port);
  await until(async () => bridge.heard.length === 1, { what: 'the answer' });
  expect(bridge.heard).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
  await server.close();
});

test('nothing but messages stands on stdout, and the end of stdin ends the program', async () => {
  const { url } = await serve('both');
  const bridge = raw(url);
  bridge.child.stdin?.end(
    '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
  );
  expect(await bridge.ended).toBe(0);
  expect(bridge.heard).toMatchObject([{ id: 0, result: { protocolVersion: '2025-06-18' } }]);
});

test.each([
  [['connect', 'ftp://x'], 64],
  [['connect', 'http://example.com/mcp'], 64],
  [['connect', '--nonsense'], 64],
  [['connect'], 64],
  [['connect', 'https://example.com/mcp'], 78],
])('patchbay %j without a token ends with %i and says why', async (args, code) => {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATCHBAY_HOME: emptyHome() }, stdio: ['pipe', 'pipe', 'pipe'] });
  let [output, problems] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (problems += chunk.toString()));
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(code);
  expect(output).toBe('');
  expect(problems).not.toBe('');
});

const JSON_TYPE = { 'content-type': 'application/json' };
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };

type Said = { id?: string; method?: string; params?: unknown };

/** The bridge with its lines laid open. */
function raw(url: string, env: Record<string, string> = {}) {
  const { args, command: program, env: all } = command(url, env);
  const child: ChildProcess = spawn(program, args, { env: all, stdio: ['pipe', 'pipe', 'inherit'] });
  cleanups.push(() => child.kill());
  const heard: Said[] = [];
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => heard.push(JSON.parse(line) as Said));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, heard, ended, say: (message: object) => child.stdin?.write(`${JSON.stringify(message)}\n`) };
}

async function startServer(handler: (request: IncomingMessage, response: ServerResponse) => unknown, port = 0): Promise<Listening> {
  const server = await listen((request, response) => void handler(request, response), port);
  cleanups.push(() => server.close());
  return server;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Answers nothing, and tells whose connection was closed. */
async function hangingServer() {
  const [closed, methods]: [string[], string[]] = [[], []];
  const { url } = await startServer(async (request, response) => {
    const { method } = JSON.parse(await bodyOf(request)) as { method: string };
    methods.push(method);
    response.on('close', () => closed.push(method));
  });
  return { url, closed, methods };
}

/** Acknowledges each subscription and cuts the first. */
async function cuttingServer() {
  let streams = 0;
  const meta = { 'io.modelcontextprotocol/subscriptionId': 'l' };
  const acknowledged = {
    jsonrpc: '2.0',
    method: 'notifications/subscriptions/acknowledged',
    params: { _meta: meta, notifications: { toolsListChanged: true } },
  };
  const { url } = await startServer((request, response) => {
    request.resume();
    streams += 1;
    const isFirst = streams === 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${JSON.stringify(acknowledged)}\n\n`, () => void (isFirst && response.destroy()));
  });
  return { url, streams: () => streams };
}
