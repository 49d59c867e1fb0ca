import { BodyTooLarge, readAll, type Answer } from '@patchbay/egress';
import { SseParser, isObject } from '@patchbay/mcp-wire';
import { DiscoveryFailed, quoted } from './failed.ts';
import { LIMITS } from './limits.ts';
import type { Transport } from './transport.ts';

/** A JSON-RPC answer: its bytes as the server wrote them, and as we read them. */
export type RpcAnswer = {
  readonly status: number;
  readonly headers: Answer['headers'];
  readonly bytes: Buffer;
  readonly message: RpcMessage;
};

export type RpcMessage = {
  readonly id?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
};

/** An HTTP answer in which there is no JSON-RPC message for us. */
export type NoMessage = { readonly status: number; readonly headers: Answer['headers']; readonly message: null };

/** Sends JSON-RPC to one server and finds the answer, be it JSON or an event stream. Ends at a fixed moment whatever the server does. */
export class Conversation {
  readonly #transport: Transport;
  readonly #requestMs: number;
  readonly #endsAtMs: number;
  #nextId = 1;

  constructor(transport: Transport, requestMs: number) {
    this.#transport = transport;
    this.#requestMs = requestMs;
    this.#endsAtMs = performance.now() + LIMITS.totalMs;
  }

  /** One request. `params` is JSON text. */
  async ask(method: string, params: string | null, headers: Readonly<Record<string, string>>): Promise<RpcAnswer | NoMessage> {
    const id = this.#nextId;
    this.#nextId += 1;
    const body = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${params === null ? '' : `,"params":${params}`}}`;
    const answer = await this.#send(body, headers);
    const bytes = await messageBytes(answer, id);
    const message = bytes === null ? null : parseMessage(bytes);
    return bytes === null || message === null
      ? { status: answer.status, headers: answer.headers, message: null }
      : { status: answer.status, headers: answer.headers, bytes, message };
  }

  /** One notification; any 2xx will do. */
  async tell(body: string, headers: Readonly<Record<string, string>>): Promise<void> {
    const answer = await this.#send(body, headers);
    answer.discard();
    if (answer.status >= 300) throw new DiscoveryFailed(`The MCP server answered a notification with HTTP ${answer.status}.`);
  }

  /** Ends the server's session. That it cannot be ended is no failure of the discovery. */
  async end(headers: Readonly<Record<string, string>>): Promise<void> {
    try {
      (await this.#transport({ method: 'DELETE', headers, timeoutMs: 2_000 })).discard();
    } catch {
      // The session ends by itself some day.
    }
  }

  async #send(body: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const timeoutMs = Math.min(this.#requestMs, Math.ceil(this.#endsAtMs - performance.now()));
    if (timeoutMs <= 0)
      throw new DiscoveryFailed(`Asking the MCP server for all it offers takes longer than ${LIMITS.totalMs / 1_000} seconds.`);
    const sent = { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers };
    return this.#transport({ method: 'POST', headers: sent, body, timeoutMs });
  }
}

/** Refuses an answer that is none, in words. */
export function expectResult(
  method: string,
  answer: RpcAnswer | NoMessage,
): RpcAnswer & { readonly message: { readonly result: Record<string, unknown> } } {
  if (answer.message === null) throw noMessage(method, answer.status);
  const { result, error } = answer.message;
  if (error !== undefined)
    throw new DiscoveryFailed(`The MCP server answered ${method} with error ${error.code}: ${quoted(error.message)}.`);
  if (result === undefined) throw noMessage(method, answer.status);
  return { ...answer, message: { ...answer.message, result } };
}

export function noMessage(method: string, status: number): DiscoveryFailed {
  if (status === 401 || status === 403)
    return new DiscoveryFailed(`The MCP server refused our credential (HTTP ${status}). Check the header values of its registration.`);
  if (status >= 300) return new DiscoveryFailed(`The MCP server answered ${method} with HTTP ${status}. Check its address.`);
  return new DiscoveryFailed(`The MCP server's answer to ${method} is not MCP. Check its address.`);
}

async function messageBytes(answer: Answer, id: number): Promise<Buffer | null> {
  const type = String(answer.headers['content-type'] ?? '').toLowerCase();
  try {
    if (type.startsWith('text/event-stream')) return await fromEvents(answer, id);
    if (type.startsWith('application/json')) return await readAll(answer.body);
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new DiscoveryFailed('The MCP server’s answer is larger than a catalogue may be.');
    throw error;
  } finally {
    answer.discard();
  }
  return null;
}

async function fromEvents(answer: Answer, id: number): Promise<Buffer | null> {
  const parser = new SseParser(LIMITS.answerBytes);
  for await (const chunk of answer.body) {
    for (const { data } of parser.push(Buffer.from(chunk))) {
      const bytes = Buffer.from(data, 'utf8');
      // Notifications and requests of the server come before; only the answer to our own request ends the wait.
      if (data !== '' && parseMessage(bytes)?.id === id) return bytes;
    }
  }
  return null;
}

function parseMessage(bytes: Buffer): RpcMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return null;
  const { id, result, error } = value;
  return {
    id,
    ...(isObject(result) ? { result } : {}),
    ...(isObject(error) ? { error: { code: Number(error['code']), message: String(error['message']), data: error['data'] } } : {}),
  };
}
