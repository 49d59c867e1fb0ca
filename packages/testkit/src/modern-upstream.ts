import type { IncomingMessage } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { OnMark } from './legacy-upstream.ts';
import { listen, type Listening } from './listen.ts';

export type ModernUpstream = Listening & { readonly seenHeaders: IncomingMessage['headers'][] };

/** A real stateless server of revision 2026-07-28 on the official SDK 2.x; refuses earlier revisions. `onMark`: as of the legacy one. */
export async function startModernUpstream(port = 0, onMark: OnMark | null = null): Promise<ModernUpstream> {
  const seenHeaders: IncomingMessage['headers'][] = [];
  const handler = toNodeHandler(createMcpHandler(() => modernServer(onMark), { legacy: 'reject' }));
  const listening = await listen((request, response) => {
    seenHeaders.push(request.headers);
    // The adapter's own types disagree under exactOptionalPropertyTypes.
    void handler(request as Parameters<typeof handler>[0], response);
  }, port);
  return { ...listening, seenHeaders };
}

function modernServer(onMark: OnMark | null): McpServer {
  const server = new McpServer({ name: 'modern-fixture', version: '2.0.0' }, { instructions: 'Stateless.' });
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
