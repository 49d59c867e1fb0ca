import type { FastifyRequest } from 'fastify';

const SAFE_METHODS = new Set(['GET', 'HEAD']);

/**
 * Whether a request that a browser could have sent by itself comes from our own page (security.md §8): the custom header,
 * which no foreign page can add without our consent, and the origin of this very host. Browsers leave Origin out of
 * same-origin reads.
 */
export function isTrustedBrowser({ method, headers }: FastifyRequest): boolean {
  if (headers['patchbay-request'] !== '1') return false;
  const { origin, host } = headers;
  if (origin === undefined) return SAFE_METHODS.has(method);
  const parsed = URL.parse(origin);
  return parsed !== null && (parsed.protocol === 'http:' || parsed.protocol === 'https:') && parsed.host === host?.toLowerCase();
}
