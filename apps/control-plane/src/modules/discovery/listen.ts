import { VERSION } from '@patchbay/contracts';
import { Conversation, DiscoveryFailed, LIMITS, noMessage, openLegacy, type Transport } from '@patchbay/discovery';
import { readAll, type Answer } from '@patchbay/egress';
import { MODERN_VERSION, modernHeaders, requestMeta, SseParser, type Era, isObject } from '@patchbay/mcp-wire';

/** The lists whose changes a server may tell of. */
export const LISTENED = ['tools', 'prompts', 'resources'] as const;
export type ListenedList = (typeof LISTENED)[number];

export type ListenInput = {
  readonly transport: Transport;
  readonly requestMs: number;
  readonly era: Era;
  readonly lists: readonly ListenedList[];
  readonly signal: AbortSignal;
};

/** The server does not offer what it declares: asking again soon is of no use. */
export class ListensToNobody extends DiscoveryFailed {}

/** A connection that died without a word is not noticed otherwise. */
const STREAM_MS_MAX = 15 * 60_000;
const MEMBERS = { tools: 'toolsListChanged', prompts: 'promptsListChanged', resources: 'resourcesListChanged' } as const;
const SAID_BY: Readonly<Record<string, ListenedList>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/prompts/list_changed': 'prompts',
  'notifications/resources/list_changed': 'resources',
};

/**
 * Listens to one server until its stream ends: yields null once it is heard, then the name of each list that changed. Throws
 * DiscoveryFailed, ListensToNobody or whatever the transport threw.
 */
export async function* listen(input: ListenInput): AsyncGenerator<ListenedList | null, void, undefined> {
  yield* input.era === 'modern' ? listenModern(input) : listenLegacy(input);
}

async function* listenModern({ lists, requestMs, signal, transport }: ListenInput): AsyncGenerator<ListenedList | null> {
  const meta = requestMeta({ clientCapabilities: '{}', clientInfo: { name: 'patchbay', version: VERSION } });
  const filter = JSON.stringify(Object.fromEntries(lists.map((list) => [MEMBERS[list], true])));
  const opening = new Opening(signal, requestMs);
  const answer = await transport({
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...modernHeaders(MODERN_VERSION, 'subscriptions/listen', null),
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":${filter},"_meta":${meta}}}`,
    timeoutMs: STREAM_MS_MAX,
    signal: opening.signal,
  });
  for await (const message of messagesOf('subscriptions/listen', answer)) {
    if (message['error'] !== undefined) throw new ListensToNobody('The MCP server does not take subscriptions/listen.');
    const list = SAID_BY[String(message['method'])];
    if (message['method'] === 'notifications/subscriptions/acknowledged') {
      opening.stands();
      yield null;
    } else if (list !== undefined) {
      yield list;
    }
  }
}

async function* listenLegacy({ requestMs, signal, transport }: ListenInput): AsyncGenerator<ListenedList | null> {
  const { headers } = await openLegacy(new Conversation(transport, requestMs));
  const session = headers('');
  const talk = (): Conversation => new Conversation(transport, requestMs);
  try {
    const opening = new Opening(signal, requestMs);
    const get = { method: 'GET', headers: { accept: 'text/event-stream', ...session }, timeoutMs: STREAM_MS_MAX } as const;
    const answer = await transport({ ...get, signal: opening.signal });
    if (answer.status === 405) {
      answer.discard();
      throw new ListensToNobody('The MCP server offers no stream to listen to.');
    }
    opening.stands();
    yield null;
    for await (const message of messagesOf('GET', answer)) {
      const list = SAID_BY[String(message['method'])];
      if (list !== undefined) yield list;
      else if (message['method'] !== undefined && message['id'] !== undefined) await talk().tell(answerTo(message), session);
    }
  } finally {
    if ('mcp-session-id' in session) await talk().end(session);
  }
}

/** We declared no capabilities, so `ping` is all that a server may ask. */
function answerTo({ id, method }: Record<string, unknown>): string {
  const answer = method === 'ping' ? { result: {} } : { error: { code: -32601, message: 'This client takes no requests.' } };
  return JSON.stringify({ jsonrpc: '2.0', id, ...answer });
}

async function* messagesOf(method: string, answer: Answer): AsyncGenerator<Record<string, unknown>> {
  try {
    const type = String(answer.headers['content-type'] ?? '').toLowerCase();
    if ([401, 403].includes(answer.status) || answer.status >= 500) throw noMessage(method, answer.status);
    if (type.startsWith('application/json')) {
      yield* parsed((await readAll(answer.body)).toString('utf8'));
      return;
    }
    if (answer.status >= 300 || !type.startsWith('text/event-stream')) throw noMessage(method, answer.status);
    const parser = new SseParser(LIMITS.answerBytes);
    for await (const chunk of answer.body) for (const { data } of parser.push(Buffer.from(chunk))) yield* parsed(data);
  } finally {
    answer.discard();
  }
}

function* parsed(text: string): Generator<Record<string, unknown>> {
  if (text === '') return;
  try {
    const message: unknown = JSON.parse(text);
    if (isObject(message)) yield message;
  } catch {
    // What is no message tells nothing; the stream goes on.
  }
}

/** Ends the attempt when `signal` says so, or when the stream does not stand in time. */
class Opening {
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;

  constructor(signal: AbortSignal, withinMs: number) {
    const late = new AbortController();
    this.#timer = setTimeout(() => late.abort(new DiscoveryFailed('The MCP server does not let itself be listened to in time.')), withinMs);
    this.#timer.unref();
    this.signal = AbortSignal.any([signal, late.signal]);
  }

  stands(): void {
    clearTimeout(this.#timer);
  }
}
