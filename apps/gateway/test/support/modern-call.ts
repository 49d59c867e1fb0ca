/** What a client without sessions got back for one call. */
export type Sent = {
  readonly status: number;
  readonly json: { result?: Record<string, unknown>; error?: { code: number; data?: unknown } };
};

export type Calling = { readonly capabilities?: object; readonly user?: string };

const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };

export type ModernOptions = Calling & { readonly headers?: Readonly<Record<string, string>>; readonly id?: unknown };

/** A request of revision 2026-07-28 as a client writes it, for `fetch`. */
export function modernInit(method: string, params: object = {}, options: ModernOptions = {}): RequestInit & { method: 'POST' } {
  const { capabilities = {}, headers = {}, id = 1, user = 'ada' } = options;
  const { name, taskId, uri } = params as { name?: string; uri?: string; taskId?: string };
  const named = name ?? uri ?? taskId;
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': capabilities };
  return {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(named === undefined ? {} : { 'mcp-name': named }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }),
  };
}

/** What an answer says: its JSON, or the last message of its stream. An empty one says nothing: `{}`. */
export async function lastMessage(response: Response): Promise<unknown> {
  const text = await response.text();
  const isStream = response.headers.get('content-type') === 'text/event-stream';
  const said = isStream
    ? text
        .split('\n')
        .findLast((line) => line.startsWith('data: '))
        ?.slice('data: '.length)
    : text;
  return said === undefined || said === '' ? {} : JSON.parse(said);
}

/** One `tools/call` of revision 2026-07-28 and its whole answer; the last message where it is a stream. */
export async function modernCall(url: string, params: object, { capabilities = CAPABILITIES, user = 'ada' }: Calling = {}): Promise<Sent> {
  const response = await fetch(url, modernInit('tools/call', { arguments: {}, ...params }, { capabilities, user }));
  return { status: response.status, json: (await lastMessage(response)) as Sent['json'] };
}

/** The state and the questions of a call that waits for answers. */
export function askedIn({ json }: Sent): { requestState: string; keys: string[]; messages: string[] } {
  const { inputRequests, requestState, resultType } = json.result ?? {};
  if (resultType !== 'input_required') throw new Error(`nothing was asked: ${JSON.stringify(json)}`);
  const asks = inputRequests as Record<string, { params?: { message?: string } }>;
  return {
    requestState: String(requestState),
    keys: Object.keys(asks),
    messages: Object.values(asks).map(({ params }) => params?.message ?? ''),
  };
}

export function textIn({ json }: Sent): string | undefined {
  return (json.result?.['content'] as { text: string }[] | undefined)?.[0]?.text;
}
