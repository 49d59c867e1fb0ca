import { Agent as PlainAgent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { equalSecrets } from '@patchbay/tokens';
import type { ChannelAnswer, ChannelRequest, Send } from '@patchbay/mcp-wire/channel';

export type EndpointOptions = {
  readonly url: URL;
  /** The token to present; asked again when one was refused, because files are replaced. */
  readonly readToken: () => string;
  /** How long to try again while the endpoint is not there yet. */
  readonly patienceMs: number;
};

export type Endpoint = { readonly send: Send; close(): void };

const AGAIN_AFTER_MS = 500;
/** Shorter than what servers and balancers keep an unused connection for: on one that just closed, nobody knows what was executed. */
const UNUSED_MS = 10_000;

/** Requests to one MCP endpoint over connections that are kept. Sent again only where nothing was executed: no connection, 503, or another token. Follows nothing. */
export function openEndpoint({ url, readToken, patienceMs }: EndpointOptions): Endpoint {
  const isSecure = url.protocol === 'https:';
  const agent = new (isSecure ? SecureAgent : PlainAgent)({ keepAlive: true, timeout: UNUSED_MS });
  let token = readToken();

  function once({ body, headers, method, signal }: ChannelRequest): Promise<IncomingMessage> {
    const length = body === null ? {} : { 'content-length': String(body.length) };
    const all = { ...headers, ...length, authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      // Not by the option of that name: it would end the connection too, long after it has gone to another request.
      const outgoing = (isSecure ? secureRequest : plainRequest)(url, { agent, method, headers: all });
      const abandon = (): void => void outgoing.destroy();
      signal.addEventListener('abort', abandon, { once: true });
      outgoing.once('close', () => signal.removeEventListener('abort', abandon));
      outgoing.once('response', resolve);
      outgoing.on('error', reject);
      outgoing.end(body ?? undefined);
    });
  }

  /** Whether there is another token than the one that was refused. */
  function hasNewToken(): boolean {
    const before = token;
    token = readToken();
    return !equalSecrets(token, before);
  }

  async function send(request: ChannelRequest): Promise<ChannelAnswer> {
    const deadline = performance.now() + patienceMs;
    let mayChangeToken = true;
    for (;;) {
      const isLate = performance.now() > deadline;
      const incoming = await once(request).catch((error: unknown) => {
        if (isLate || !isRefused(error)) throw error;
        return null;
      });
      const status = incoming?.statusCode ?? 503;
      const isOtherToken = status === 401 && mayChangeToken && hasNewToken();
      if (incoming !== null && !isOtherToken && (status !== 503 || isLate)) return { status, headers: incoming.headers, body: incoming };
      incoming?.resume();
      if (isOtherToken) mayChangeToken = false;
      else await sleep(AGAIN_AFTER_MS, undefined, { signal: request.signal });
    }
  }

  return { send, close: () => agent.destroy() };
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}
