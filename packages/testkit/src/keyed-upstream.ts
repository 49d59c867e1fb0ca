import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer as ModernServer } from '@modelcontextprotocol/server';
import { listen, type Listening } from './listen.ts';

export type KeyedUpstream = Listening & {
  /** `{key} {method}` of the requests received, oldest first; the method only where a client names it in a header. */
  readonly seen: string[];
  /** Adds a tool to what this key is offered, and says so to whoever listens with it. */
  offer(key: string, tool: string): void;
};

type Serve = { readonly handle: Parameters<typeof listen>[0]; offered(key: string, tool: string): void };

/**
 * A real server, on the official SDK of its era, whose tools depend on the credential that it is asked with (header `x-key`): `common` and
 * what that key was offered. A tool answers with the key and its name.
 */
export async function startKeyedUpstream(
  era: 'legacy' | 'modern',
  offers: Readonly<Record<string, readonly string[]>>,
): Promise<KeyedUpstream> {
  const seen: string[] = [];
  const tools = new Map(Object.entries(offers).map(([key, names]) => [key, ['common', ...names]]));
  const toolsOf = (key: string): readonly string[] => tools.get(key) ?? ['common'];
  const serve = era === 'legacy' ? legacy(toolsOf) : modern(toolsOf);
  const listening = await listen((request, response) => {
    seen.push(`${keyOf(request)} ${String(request.headers['mcp-method'] ?? '')}`);
    serve.handle(request, response);
  });
  return {
    ...listening,
    seen,
    offer(key, tool) {
      tools.set(key, [...toolsOf(key), tool]);
      serve.offered(key, tool);
    },
  };
}

function keyOf({ headers }: IncomingMessage): string {
  return String(headers['x-key'] ?? 'none');
}

const answer = (key: string, tool: string) => ({ content: [{ type: 'text' as const, text: `${key}:${tool}` }] });

function legacy(toolsOf: (key: string) => readonly string[]): Serve {
  const sessions = new Map<
    string,
    { readonly key: string; readonly server: McpServer; readonly transport: StreamableHTTPServerTransport }
  >();
  const add = (server: McpServer, key: string, tool: string): void => void server.registerTool(tool, {}, () => answer(key, tool));
  return {
    handle(request, response) {
      const known = sessions.get(String(request.headers['mcp-session-id']));
      if (known !== undefined) return void known.transport.handleRequest(request, response);
      const key = keyOf(request);
      const server = new McpServer({ name: 'keyed', version: '1' });
      for (const tool of toolsOf(key)) add(server, key, tool);
      const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (id) => void sessions.set(id, { key, server, transport }),
      });
      void server.connect(transport).then(() => transport.handleRequest(request, response));
    },
    offered(key, tool) {
      for (const session of sessions.values()) if (session.key === key) add(session.server, key, tool);
    },
  };
}

function modern(toolsOf: (key: string) => readonly string[]): Serve {
  const handlers = new Map<string, ReturnType<typeof createMcpHandler>>();
  const handlerOf = (key: string): ReturnType<typeof createMcpHandler> => {
    const handler =
      handlers.get(key) ??
      createMcpHandler(
        () => {
          const server = new ModernServer({ name: 'keyed', version: '2' });
          for (const tool of toolsOf(key)) server.registerTool(tool, {}, () => answer(key, tool));
          return server;
        },
        { legacy: 'reject' },
      );
    handlers.set(key, handler);
    return handler;
  };
  return {
    handle(request, response) {
      const handle = toNodeHandler(handlerOf(keyOf(request)));
      // The adapter's own types disagree under exactOptionalPropertyTypes.
      void handle(request as Parameters<typeof handle>[0], response);
    },
    offered: (key) => handlerOf(key).notify.toolsChanged(),
  };
}
