import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { endWithStdin } from './end-with-stdin.ts';

// A real server of revision 2026-07-28 on the official SDK, with the tool that the load calls.
const [port, tool = ''] = process.argv.slice(2);
const inputSchema = z.looseObject({ query: z.string() });

const mcp = createMcpHandler(
  () => {
    const server = new McpServer({ name: 'bench-sdk', version: '1.0.0' });
    server.registerTool(tool, { description: 'Says it back', inputSchema }, ({ query }) => ({ content: [{ type: 'text', text: query }] }));
    return server;
  },
  { legacy: 'reject' },
);
const handler = toNodeHandler(mcp);

createServer({ keepAliveTimeout: 65_000, noDelay: true }, (request, response) => {
  // The adapter's own types disagree under exactOptionalPropertyTypes.
  void handler(request as Parameters<typeof handler>[0], response);
}).listen(Number(port), '127.0.0.1', 4_096);
endWithStdin();
