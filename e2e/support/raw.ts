/** One POST of raw bytes to an MCP endpoint; what came back, whole. */
export async function post(
  url: string,
  token: string | null,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body,
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
} as const;

/** A well-formed 2026-07-28 request with its headers. */
export function modern(
  method: string,
  params: Record<string, unknown> = {},
  id: string | number = 1,
): { body: string; headers: Record<string, string> } {
  const name = params['name'] ?? params['uri'];
  return {
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: MODERN_META } }),
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(typeof name === 'string' ? { 'mcp-name': name } : {}) },
  };
}

export async function callModern(
  url: string,
  token: string,
  method: string,
  params: Record<string, unknown> = {},
): Promise<{ status: number; json: RpcAnswer }> {
  const { body, headers } = modern(method, params);
  const answer = await post(url, token, body, headers);
  return { status: answer.status, json: parse(answer) };
}

export type RpcAnswer = {
  id: unknown;
  result?: Record<string, unknown>;
  error?: { code: number; message: string; data?: Record<string, unknown> };
};

/** The JSON-RPC answer of a JSON or SSE response. */
export function parse({ headers, text }: { headers: Headers; text: string }): RpcAnswer {
  if (headers.get('content-type')?.startsWith('text/event-stream') !== true) return JSON.parse(text) as RpcAnswer;
  const last = text
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .at(-1);
  return JSON.parse(last?.slice(5) ?? 'null') as RpcAnswer;
}
