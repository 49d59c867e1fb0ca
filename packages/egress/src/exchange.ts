import type { Dispatcher } from 'undici';
import { BodyTooLarge, boundedBody } from './bounded-body.ts';

export type RequestInit = {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
};

export type Answer = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Throws BodyTooLarge past the limit and TimeoutError past the time. Read it to its end or call `discard`. */
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
  /** Ends what is left of the body together with its connection; harmless after the end. */
  discard(): void;
};

/** Time counts from the sending to the last byte of the body; bytes are those of the body. */
export type Bounds = { readonly timeoutMs: number; readonly maxBytes: number };

/** One request and its bounded answer; follows nothing. */
export async function exchange(dispatcher: Dispatcher, url: URL, init: RequestInit, bounds: Bounds): Promise<Answer> {
  const timeout = AbortSignal.timeout(bounds.timeoutMs);
  const signal = init.signal === undefined ? timeout : AbortSignal.any([timeout, init.signal]);
  const { statusCode, headers, body } = await dispatcher.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: init.method ?? 'GET',
    headers: { ...init.headers },
    body: typeof init.body === 'string' ? init.body : init.body === undefined ? null : Buffer.from(init.body),
    signal,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const discard = (): void => void body.destroy();
  // The abort of a body that nobody reads any more is no news.
  body.on('error', () => undefined);
  if (init.method !== 'HEAD' && Number(headers['content-length']) > bounds.maxBytes) {
    discard();
    throw new BodyTooLarge(bounds.maxBytes);
  }
  return { status: statusCode, headers, body: ending(boundedBody(body, bounds.maxBytes), discard), discard };
}

/** The same bytes; `end` is called when the reader has had the last of them, has enough, or cannot go on. */
export async function* ending(bytes: AsyncIterable<Uint8Array>, end: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* bytes;
  } finally {
    end();
  }
}
