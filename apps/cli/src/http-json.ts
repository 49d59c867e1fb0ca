import { request } from 'node:http';

export type HttpAnswer = { readonly status: number; readonly json: unknown };

export type HttpQuestion = { readonly method?: string; readonly bearer?: string; readonly body?: unknown; readonly timeoutMs?: number };

const TIMEOUT_MS = 5_000;

/** Asks one of our own programs on loopback, on a connection of its own. Rejects when there is no complete answer; `json` is null where the body is none. */
export function ask(url: string, { method = 'GET', bearer, body, timeoutMs = TIMEOUT_MS }: HttpQuestion = {}): Promise<HttpAnswer> {
  const text = body === undefined ? null : JSON.stringify(body);
  const headers = {
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(text === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
  };
  return new Promise((done, failed) => {
    const outgoing = request(url, { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.once('error', failed);
      incoming.once('end', () => done({ status: incoming.statusCode ?? 0, json: parse(Buffer.concat(chunks).toString()) }));
    });
    outgoing.once('error', failed);
    outgoing.end(text ?? undefined);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
