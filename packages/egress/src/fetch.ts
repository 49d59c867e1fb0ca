import { Agent } from 'undici';
import { createDialer, type DialerOptions } from './dialer.ts';
import { ending, exchange, type Answer, type Bounds, type RequestInit } from './exchange.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const HEADER_BYTES_MAX = 64 * 1024;
/** What a redirect to another origin may carry: nothing that could be a credential. */
const HARMLESS_HEADERS = new Set(['accept', 'accept-language', 'user-agent']);

/** The answer is a redirect, and none (or no further one, or not this one) may be followed. */
export class RedirectRefused extends Error {
  readonly code = 'REDIRECT_REFUSED';

  constructor() {
    super('The address answers with a redirect, which is not followed.');
    this.name = 'RedirectRefused';
  }
}

export type FetchOptions = Omit<DialerOptions, 'connectTimeoutMs'> &
  Bounds & {
    readonly connectTimeoutMs?: number;
    /** `error` (the default), or how many may be followed, by GET and HEAD alone, each destination checked like the first. */
    readonly redirects?: 'error' | number;
  };

/** One request over connections of its own to a destination that the policy lets pass, bounded in time and bytes. */
export async function egressFetch(url: string | URL, init: RequestInit, options: FetchOptions): Promise<Answer> {
  const agent = new Agent({
    connect: createDialer({ ...options, connectTimeoutMs: options.connectTimeoutMs ?? options.timeoutMs }),
    maxHeaderSize: HEADER_BYTES_MAX,
  });
  const close = (): void => void agent.destroy();
  const endsAtMs = performance.now() + options.timeoutMs;
  let target = new URL(url);
  let request = init;
  for (let left = options.redirects === undefined || options.redirects === 'error' ? 0 : options.redirects; ; left -= 1) {
    const bounds = { timeoutMs: Math.max(1, Math.ceil(endsAtMs - performance.now())), maxBytes: options.maxBytes };
    const answer = await failing(exchange(agent, target, request, bounds), close);
    if (!REDIRECTS.has(answer.status)) return { ...answer, body: ending(answer.body, close), discard: close };
    const next = left > 0 ? followed(target, request, answer) : null;
    answer.discard();
    if (next === null) {
      close();
      throw new RedirectRefused();
    }
    ({ target, request } = next);
  }
}

function followed(from: URL, request: RequestInit, answer: Answer): { target: URL; request: RequestInit } | null {
  const { location } = answer.headers;
  if (typeof location !== 'string' || !URL.canParse(location, from.href) || UNSAFE.has(request.method ?? 'GET')) return null;
  const target = new URL(location, from);
  const isDowngrade = from.protocol === 'https:' && target.protocol !== 'https:';
  if (isDowngrade || !['http:', 'https:'].includes(target.protocol)) return null;
  if (target.origin === from.origin) return { target, request };
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => HARMLESS_HEADERS.has(name.toLowerCase()));
  return { target, request: { ...request, headers: Object.fromEntries(headers) } };
}

const UNSAFE = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

async function failing(answer: Promise<Answer>, close: () => void): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    close();
    throw error;
  }
}
