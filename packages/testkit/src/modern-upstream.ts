import type { IncomingMessage } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { OnMark } from './legacy-upstream.ts';
import { listen, type Listening } from './listen.ts';

export type ModernUpstream = Listening & {
  readonly seenHeaders: IncomingMessage['headers'][];
  /** From now on it has a tool more, which it tells whoever listens. */
  addTool(name: string): void;
  /** Tells whoever subscribed to this resource that it was updated. */
  updateResource(uri: string): void;
};

/** A real stateless server of revision 2026-07-28 on the official SDK 2.x; refuses earlier revisions. `onMark`: as of the legacy one. */
export async function startModernUpstream(port = 0, onMark: OnMark | null = null): Promise<ModernUpstream> {
  const seenHeaders: IncomingMessage['headers'][] = [];
  const added: string[] = [];
  const mcp = createMcpHandler(() => modernServer(onMark, added), { legacy: 'reject' });
  const handler = toNodeHandler(mcp);
  const listening = await listen((request, response) => {
    seenHeaders.push(request.headers);
    // The adapter's own types disagree under exactOptionalPropertyTypes.
    void handler(request as Parameters<typeof handler>[0], response);
  }, port);
  return {
    ...listening,
    seenHeaders,
    addTool(name) {
      added.push(name);
      mcp.notify.toolsChanged();
    },
    updateResource: (uri) => mcp.notify.resourceUpdated(uri),
  };
}

function modernServer(onMark: OnMark | null, added: readonly string[]): McpServer {
  const server = new McpServer(
    { name: 'modern-fixture', version: '2.0.0' },
    { instructions: 'Stateless.', capabilities: { resources: { subscribe: true } } },
  );
  server.registerTool('echo', { description: 'Says it back', inputSchema: z.object({ message: z.string() }) }, ({ message }) => ({
    content: [{ type: 'text', text: `modern:${message}` }],
  }));
  server.registerTool(
    'sum',
    { description: 'Adds', inputSchema: z.object({ a: z.number(), b: z.number() }), outputSchema: z.object({ sum: z.number() }) },
    ({ a, b }) => ({
      content: [{ type: 'text', text: String(a + b) }],
      structuredContent: { sum: a + b },
    }),
  );
  for (const name of added) server.registerTool(name, { description: 'Was added' }, () => ({ content: [{ type: 'text', text: name }] }));
  server.registerTool('fail', { description: 'Fails as a tool' }, () => ({
    content: [{ type: 'text', text: 'it failed' }],
    isError: true,
  }));
  if (onMark !== null)
    server.registerTool('mark', { description: 'Is counted', inputSchema: z.object({ id: z.string() }) }, async ({ id }) => {
      await onMark(id);
      return { content: [{ type: 'text', text: id }] };
    });
  server.registerPrompt('greet', { description: 'Greets', argsSchema: z.object({ name: z.string() }) }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
  }));
  server.registerResource('note', 'note://modern', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, text: 'modern note' }],
  }));
  return server;
}
