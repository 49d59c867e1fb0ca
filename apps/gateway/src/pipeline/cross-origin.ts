import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Refusal, refusal } from '@patchbay/errors';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import type { CallContext } from './context.ts';

/** Pages of other origins (security.md §8): those that their organisation lists may use its endpoints, never with a browser's credentials. */
export type CrossOriginDeps = {
  /** The snapshot of an organisation that is in memory. */
  readonly snapshots: { current(slug: string): CompiledSnapshot | undefined };
  /** Lower-case `Origin` values that are our own. */
  readonly origins: ReadonlySet<string>;
};

const EXPOSED = 'Mcp-Session-Id, WWW-Authenticate';
const METHODS = 'GET, POST, DELETE';
const REQUEST_HEADERS: ReadonlySet<string> = new Set([
  ...['accept', 'authorization', 'content-type', 'last-event-id', 'traceparent'],
  ...['mcp-method', 'mcp-name', 'mcp-protocol-version', 'mcp-session-id'],
]);
const PARAM_HEADER = /^mcp-param-[a-z0-9-]{1,64}$/;
const MAX_AGE_S = 600;
const ORGANISATION = /^\/([a-z][a-z0-9-]{0,30})\//;
const NOT_ALLOWED = refusal('http.origin');

/**
 * Judges the `Origin` of a request to an organisation, from memory alone. What is not in memory is not loaded for a stranger: then the page may
 * read what tells strangers nothing, and `judgeLoaded` has the last word before anything else is said.
 */
export function makeJudgeOrigin({ origins, snapshots }: CrossOriginDeps): (ctx: CallContext) => Refusal | undefined {
  return function judgeOrigin(ctx) {
    const { origin } = ctx.request.headers;
    if (origin === undefined || origins.has(origin.toLowerCase())) return undefined;
    const snapshot = ctx.organisationSlug === '' ? undefined : snapshots.current(ctx.organisationSlug);
    if (ctx.organisationSlug === '' || (snapshot !== undefined && !lists(snapshot, origin))) return NOT_ALLOWED;
    ctx.foreignOrigin = origin;
    welcome(ctx.response, origin);
    return undefined;
  };
}

/** The same once the organisation is known for sure. */
export function judgeLoaded({ foreignOrigin, response }: CallContext, snapshot: CompiledSnapshot): Refusal | undefined {
  if (foreignOrigin === null || lists(snapshot, foreignOrigin)) return undefined;
  response.removeHeader('access-control-allow-origin');
  response.removeHeader('access-control-expose-headers');
  return NOT_ALLOWED;
}

/** A browser's question before a request of a page, answered for every transport. */
export type Preflight = (request: IncomingMessage, response: ServerResponse) => 'answered' | 'other' | Refusal;

/** Answers from memory alone: for an organisation that is not in it, its answer says no more than that the request itself will be judged. */
export function makePreflight({
  isForUs,
  snapshots,
}: Pick<CrossOriginDeps, 'snapshots'> & { isForUs(request: IncomingMessage): boolean }): Preflight {
  return function preflight(request, response) {
    const { origin, 'access-control-request-headers': asked, 'access-control-request-method': method } = request.headers;
    const [, slug] = ORGANISATION.exec(request.url ?? '') ?? [];
    if (request.method !== 'OPTIONS' || origin === undefined || method === undefined || slug === undefined) return 'other';
    if (!isForUs(request)) return refusal('http.host');
    const snapshot = snapshots.current(slug);
    if (snapshot !== undefined && !lists(snapshot, origin)) return NOT_ALLOWED;
    welcome(response, origin);
    response.setHeader('access-control-allow-methods', METHODS);
    response.setHeader('access-control-allow-headers', allowedOf(asked ?? '').join(', '));
    if (snapshot !== undefined) response.setHeader('access-control-max-age', MAX_AGE_S);
    response.writeHead(204).end();
    return 'answered';
  };
}

function welcome(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', EXPOSED);
  response.setHeader('vary', 'Origin');
}

function lists({ allowedOrigins }: CompiledSnapshot, origin: string): boolean {
  return allowedOrigins?.has(origin) === true;
}

/** Of the headers that a page wants to send, those that a client of MCP has a use for. */
function allowedOf(asked: string): string[] {
  return asked
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => REQUEST_HEADERS.has(name) || PARAM_HEADER.test(name));
}
