import { join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const INFO = { name: 'patchbay-e2e', version: '1.0.0' };

type Fetch = typeof fetch;

/** The official client 1.32 (2025-11-25, sessions). */
export async function legacyClient(url: string, token: string, fetcher: Fetch = fetch): Promise<LegacyClient> {
  const client = new LegacyClient(INFO);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const transport = new LegacyTransport(new URL(url), { requestInit, fetch: fetcher });
  await client.connect(transport);
  return client;
}

type Access = { readonly token: string; readonly fetcher: Fetch };

/** The official client 2.4, held to one revision. */
async function client24(url: string, revision: 'legacy' | '2026-07-28', { token, fetcher }: Access): Promise<ModernClient> {
  const client = new ModernClient(INFO, { versionNegotiation: { mode: revision === 'legacy' ? 'legacy' : { pin: revision } } });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const transport = new ModernTransport(new URL(url), { requestInit, fetch: fetcher });
  await client.connect(transport);
  return client;
}

export const REVISIONS = ['2025-11-25 (client 1.32)', '2025-11-25 (client 2.4)', '2026-07-28 (client 2.4)'] as const;
export type AnyClient = ModernClient;

/** Any of the three ways an official client reaches us, behind the newer client's surface. */
export async function connect(how: (typeof REVISIONS)[number], url: string, token: string, fetcher: Fetch = fetch): Promise<AnyClient> {
  switch (how) {
    case '2025-11-25 (client 1.32)':
      return asNewer(await legacyClient(url, token, fetcher));
    case '2025-11-25 (client 2.4)':
      return client24(url, 'legacy', { token, fetcher });
    case '2026-07-28 (client 2.4)':
      return client24(url, '2026-07-28', { token, fetcher });
  }
}

/** What a client that can only start a program is told to start. */
export type Command = { readonly command: string; readonly args: string[]; readonly env: Record<string, string> };

/** `patchbay connect`, outside of every platform's home. */
export function connectCommand(args: readonly string[], env: Record<string, string>): Command {
  const program = join(import.meta.dirname, '../../apps/cli/dist/main.js');
  return { command: process.execPath, args: [program, 'connect', ...args], env: { PATCHBAY_HOME: '/nonexistent', ...env } };
}

/** An official client over stdio: 1.32 speaks 2025-11-25, 2.4 what it finds, 2026-07-28 first. */
export async function stdioClient(version: '1.32' | '2.4', command: Command): Promise<AnyClient> {
  if (version === '1.32') {
    const client = new LegacyClient(INFO);
    await client.connect(new LegacyStdio(command));
    return asNewer(client);
  }
  const client = new ModernClient(INFO, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new ModernStdio(command));
  return client;
}

/** The official client 1.32 over HTTP+SSE of 2024-11-05. */
export async function sseClient(url: string, token: string): Promise<AnyClient> {
  const client = new LegacyClient(INFO);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new SSEClientTransport(new URL(url), { requestInit }));
  return asNewer(client);
}

type Opening = { readonly headers: Record<string, string>; readonly first: object };

/** What a WebSocket answers to `first` and then `initialize`: its message, the code that it was closed with, or that there was none. */
export function overWebSocket(url: string, { first, headers }: Opening): Promise<unknown> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: INFO };
  let isOpen = false;
  return new Promise((resolve) => {
    socket.addEventListener('open', () => {
      isOpen = true;
      socket.send(JSON.stringify(first));
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
    });
    socket.addEventListener('message', ({ data }) => {
      resolve(JSON.parse(String(data)));
      socket.close();
    });
    socket.addEventListener('close', ({ code }) => resolve(isOpen ? code : 'refused'));
  });
}

/** Client 1.32 takes a result schema where the newer one takes options. */
function asNewer(client: LegacyClient): AnyClient {
  const callTool = client.callTool.bind(client);
  const newer = Object.assign(client, {
    callTool: (params: Parameters<typeof callTool>[0], options?: Parameters<typeof callTool>[2]) => callTool(params, undefined, options),
  });
  return newer as unknown as AnyClient;
}

export function textOf(result: unknown): string {
  const { content } = result as { content: { type: string; text: string }[] };
  return content.map(({ text }) => text).join('');
}
