import type { IncomingHttpHeaders } from 'node:http';
import { type ErrorCode, type Refusal, refusal } from '@patchbay/errors';
import type { ExchangeFailure } from './exchange.ts';

/** A body worth reading: one JSON document, or a stream of events. */
export type BodyKind = 'json' | 'events';

const FAILURES: Record<ExchangeFailure, readonly [ErrorCode, string]> = {
  dial: ['upstream.unreachable', 'could not be connected to.'],
  'connect-timeout': ['upstream.unreachable', 'could not be connected to in time.'],
  egress: ['upstream.egress', 'has an address that may not be reached.'],
  timeout: ['upstream.timeout', 'took longer than its timeout.'],
  cut: ['upstream.broken', 'closed the connection before its answer was complete.'],
  malformed: ['upstream.broken', 'answered something that is not HTTP, or with headers that are too large.'],
};

/** What a caller is told when an exchange with the server failed. Never more than its slug and the kind of failure. */
export function refuseFailure(failure: ExchangeFailure, slug: string): Refusal {
  const [code, said] = FAILURES[failure];
  return refusal(code, `Server "${slug}" ${said}`);
}

/** The server answered, but not in MCP. */
export function refuseBroken(slug: string, what: string): Refusal {
  return refusal('upstream.broken', `Server "${slug}" ${what}.`);
}

/** Decides from a head alone whether a body can be an answer; 4xx and 5xx with JSON may hold a JSON-RPC error. */
export function judgeHead(status: number, headers: IncomingHttpHeaders, slug: string): BodyKind | Refusal {
  // Never relayed as ours: the client would sign in again at us, in a loop (protocol.md §3.3).
  if (status === 401 || status === 403) return refusal('upstream.refused', `Server "${slug}" answered HTTP ${status}.`);
  if (status >= 300 && status < 400) return refuseBroken(slug, `answered with a redirect (HTTP ${status}), which is never followed`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return refuseBroken(slug, 'compressed its answer without being asked to');
  const mediaType = mediaTypeOf(headers);
  if (mediaType === 'application/json') return 'json';
  if (mediaType === 'text/event-stream' && status < 300) return 'events';
  return refuseBroken(slug, `answered HTTP ${status} with ${mediaType === '' ? 'no content type' : mediaType}`);
}

function mediaTypeOf(headers: IncomingHttpHeaders): string {
  const contentType = headers['content-type'] ?? '';
  if (contentType === 'application/json') return contentType;
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(mediaType) ? mediaType.slice(0, 64) : '';
}
