/** What a client without sessions got back for one call. */
export type Sent = {
  readonly status: number;
  readonly json: { result?: Record<string, unknown>; error?: { code: number; data?: unknown } };
};

export type Calling = { readonly capabilities?: object; readonly user?: string };

const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };

/** One `tools/call` of revision 2026-07-28 and its whole answer; the last message where it is a stream. */
export async function modernCall(url: string, params: object, { capabilities = CAPABILITIES, user = 'ada' }: Calling = {}): Promise<Sent> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': (params as { name: string }).name,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        arguments: {},
        ...params,
        _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': capabilities },
      },
    }),
  });
  const text = await response.text();
  const isStream = response.headers.get('content-type') === 'text/event-stream';
  return { status: response.status, json: JSON.parse(isStream ? (text.split('data: ').at(-1) ?? '') : text) as Sent['json'] };
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
