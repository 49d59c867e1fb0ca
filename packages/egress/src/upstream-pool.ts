import { Pool } from 'undici';
import { createDialer, type DialerOptions } from './dialer.ts';

const CONNECTIONS_MAX = 128;
const HEADER_BYTES_MAX = 64 * 1024;

export type UpstreamPoolOptions = DialerOptions & {
  /** How long an unused connection is kept. */
  readonly keepAliveMs: number;
  readonly connections?: number;
};

/**
 * Pooled connections to one origin; each new one is checked by the policy of that moment. `dispatch` follows no redirect. The
 * pool sets no time for headers or body: the caller bounds a request as a whole.
 */
export function createUpstreamPool(origin: string | URL, options: UpstreamPoolOptions): Pool {
  return new Pool(new URL(origin).origin, {
    connect: createDialer(options),
    connections: options.connections ?? CONNECTIONS_MAX,
    keepAliveTimeout: options.keepAliveMs,
    keepAliveMaxTimeout: options.keepAliveMs,
    maxHeaderSize: HEADER_BYTES_MAX,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
