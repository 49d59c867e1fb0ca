import type { HttpMessage } from './http-message.ts';

/** Who asks, and at which endpoint. */
export type Caller = { readonly path: string; readonly token: string };

/** The size of a request's and an answer's body in every row that says 1 KB. */
const BODY_BYTES = 1_024;

/** The id of every request, because nginx answers with a fixed text. */
const ID = 1;
const COMMON = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
};
const LEGACY_VERSION = '2025-11-25';

/** A request of revision 2026-07-28. */
export function modernMessage({ path, token }: Caller, method: string, params: Readonly<Record<string, unknown>> = {}): HttpMessage {
  const { name } = params;
  const headers = {
    ...COMMON,
    authorization: `Bearer ${token}`,
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
  };
  const { _meta, ...rest } = params;
  const meta = typeof _meta === 'object' ? { ...META, ..._meta } : META;
  return { method: 'POST', path, headers, body: JSON.stringify({ jsonrpc: '2.0', id: ID, method, params: { ...rest, _meta: meta } }) };
}

/** A `tools/call` of revision 2026-07-28 whose body has 1,024 bytes. `wantsProgress`: with a progress token. */
export function modernCall(caller: Caller, tool: string, { wantsProgress = false } = {}): HttpMessage {
  const _meta = wantsProgress ? { progressToken: PROGRESS_TOKEN } : {};
  return padded((text) => modernMessage(caller, 'tools/call', { name: tool, arguments: argumentsOf(text), _meta }));
}

/** What the events of a streamed answer report progress on. */
export const PROGRESS_TOKEN = 'bench';

/** The `initialize` of a client with sessions. */
export function legacyInitialize({ path, token }: Caller): HttpMessage {
  const params = { protocolVersion: LEGACY_VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: ID, method: 'initialize', params });
  return { method: 'POST', path, headers: { ...COMMON, authorization: `Bearer ${token}` }, body };
}

/** A `tools/call` on a session, of 1,024 bytes. */
export function legacyCall(caller: Caller, session: string, tool: string): HttpMessage {
  const headers = { ...COMMON, ...sessionHeaders(caller, session) };
  return padded((text) => {
    const params = { name: tool, arguments: argumentsOf(text) };
    return { method: 'POST', path: caller.path, headers, body: JSON.stringify({ jsonrpc: '2.0', id: ID, method: 'tools/call', params }) };
  });
}

/** The stream of a session. */
export function legacyStream(caller: Caller, session: string): HttpMessage {
  const headers = { accept: 'text/event-stream', ...sessionHeaders(caller, session) };
  return { method: 'GET', path: caller.path, headers, body: '' };
}

function sessionHeaders({ token }: Caller, session: string): Record<string, string> {
  return { authorization: `Bearer ${token}`, 'mcp-protocol-version': LEGACY_VERSION, 'mcp-session-id': session };
}

/** A result as a server of that revision writes it, of `bytes` bytes in all. */
export function resultText(era: 'modern' | 'legacy', bytes = BODY_BYTES): string {
  const complete = era === 'modern' ? { resultType: 'complete' } : {};
  const textWith = (text: string): string =>
    JSON.stringify({ jsonrpc: '2.0', id: ID, result: { ...complete, content: [{ type: 'text', text }] } });
  return textWith(filler(bytes - textWith('').length));
}

/** How a server with sessions answers `initialize`. */
export const INITIALIZE_RESULT = JSON.stringify({
  jsonrpc: '2.0',
  id: ID,
  result: { protocolVersion: LEGACY_VERSION, capabilities: { tools: {} }, serverInfo: { name: 'bench-upstream', version: '1.0.0' } },
});

function argumentsOf(text: string): Record<string, unknown> {
  return { query: text, limit: 20, filters: { status: ['open', 'blocked'], assignee: 'me' }, includeArchived: false };
}

/** The message whose text is as long as it takes. */
function padded(make: (text: string) => HttpMessage): HttpMessage {
  return make(filler(BODY_BYTES - make('').body.length));
}

const SENTENCE = 'Which of the open tickets mention the new billing page, and who is looking at them? ';

function filler(length: number): string {
  return SENTENCE.repeat(Math.ceil(Math.max(0, length) / SENTENCE.length)).slice(0, Math.max(0, length));
}
