import { Pool } from 'undici';
import { exchange, type Answer, type Bounds, type RequestInit } from './exchange.ts';

const CONNECTIONS_MAX = 64;
const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5_000;

export type InternalPoolOptions = {
  readonly connections?: number;
  readonly connectTimeoutMs?: number;
  /** The authorities (PEM) that vouch for it over TLS, and no other does; null where it is reached without. */
  readonly ca?: string | null;
};

/**
 * Pooled connections to a program of ours at an address from our own configuration: no policy of a tenant applies, and no
 * address that a tenant chose may ever come here. The caller bounds each request.
 */
export function createInternalPool(baseUrl: URL, options: InternalPoolOptions = {}): Pool {
  return new Pool(baseUrl.origin, {
    connect: {
      timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      allowH2: false,
      rejectUnauthorized: true,
      ...(typeof options.ca === 'string' ? { ca: options.ca } : {}),
    },
    connections: options.connections ?? CONNECTIONS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

export type InternalFetch = {
  /** `path` begins with a slash and is put behind the base URL's own path. Follows nothing. */
  request(path: string, init?: RequestInit, bounds?: Partial<Bounds>): Promise<Answer>;
  close(): Promise<void>;
};

/** Whatever reveals the bearer on demand; it is read anew for each request and kept nowhere. */
type Bearer = { reveal(): string };

export type InternalFetchOptions = InternalPoolOptions & { readonly baseUrl: URL; readonly bearer: Bearer } & Bounds;

/** Calls a program of ours with its bearer secret, bounded in time and bytes. */
export function createInternalFetch(options: InternalFetchOptions): InternalFetch {
  const pool = createInternalPool(options.baseUrl, options);
  const basePath = options.baseUrl.pathname.replace(/\/$/, '');
  return {
    request: (path, init = {}, bounds = {}) => {
      const url = new URL(options.baseUrl.origin + basePath + path);
      const headers = { ...init.headers, authorization: `Bearer ${options.bearer.reveal()}` };
      return exchange(pool, url, { ...init, headers }, { timeoutMs: options.timeoutMs, maxBytes: options.maxBytes, ...bounds });
    },
    close: () => pool.destroy(),
  };
}
