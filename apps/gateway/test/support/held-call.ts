import { initialize } from './legacy-server.ts';

/** A call that a client with a session holds open on one pod, its server having asked something. */
export type HeldCall = {
  readonly session: string;
  readonly question: { readonly id: string; readonly method: string; readonly params: object };
  /** Answers the question; `url`: of whichever pod. */
  answer(url: string, result: object): Promise<Response>;
  cancel(url: string): Promise<Response>;
  /** What else comes on the stream until it ends; rejects when it breaks. */
  rest(): Promise<string>;
};

export type CallOptions = {
  readonly user?: string;
  readonly protocolVersion?: string;
  readonly tool?: string;
  /** Through a balancer, say. */
  readonly fetch?: typeof fetch;
};

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export async function openHeldCall(url: string, options: CallOptions = {}): Promise<HeldCall> {
  const { protocolVersion = '2025-06-18', tool = 'ask_name', user = 'ada' } = options;
  const send = options.fetch ?? fetch;
  const post = (to: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    send(to, { method: 'POST', headers: { ...HEADERS, authorization: `Bearer ${user}`, ...headers }, body: JSON.stringify(body) });
  const opened = await initialize(url, { protocolVersion, capabilities: { elicitation: {} }, user, fetch: send });
  const session = { 'mcp-session-id': opened };
  const response = await post(url, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool } }, session);
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('"method"')) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`nothing was asked: ${text}`);
    text += value;
  }
  const question = JSON.parse(/^data: (.*"method".*)$/m.exec(text)?.[1] ?? '') as HeldCall['question'];
  return {
    session: session['mcp-session-id'],
    question,
    answer: (to, result) => post(to, { jsonrpc: '2.0', id: question.id, result }, session),
    cancel: (to) => post(to, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, session),
    async rest() {
      let more = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return more;
        more += value;
      }
    },
  };
}
