import type { IncomingMessage } from 'node:http';
import { refusal } from '@patchbay/errors';
import type { CallContext, Outcome, Step } from './context.ts';
import { type CrossOriginDeps, makeJudgeOrigin } from './cross-origin.ts';

export type ReceiveDeps = CrossOriginDeps & {
  /** Whether the request names this listener; the protection against DNS rebinding (security.md §9). */
  readonly isForUs: (request: IncomingMessage) => boolean;
};

/** Judges the request line and headers that need no secret; leaves organisation and server slug on the context. No body yet. */
export function makeReceive({ isForUs, ...crossOrigin }: ReceiveDeps): Step {
  const judgeOrigin = makeJudgeOrigin(crossOrigin);
  return function receive(ctx: CallContext): Outcome {
    const { method, url } = ctx.request;
    if (!isForUs(ctx.request)) return refusal('http.host');
    const isEndpoint = readPath(ctx, url ?? '/');
    const refused = judgeOrigin(ctx);
    if (refused !== undefined) return refused;
    if (!isEndpoint) return refusal('http.not_found');
    if (method !== 'POST' && method !== 'GET' && method !== 'DELETE') {
      ctx.response.setHeader('allow', 'POST, GET, DELETE');
      return refusal('http.method');
    }
    return undefined;
  };
}

const SLUG = /^[a-z][a-z0-9-]{0,30}$/;

/** `/{org}/mcp` or `/{org}/{server}/mcp`; a query string is not looked at, so a token in it opens nothing. */
function readPath(ctx: CallContext, url: string): boolean {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  const [empty, organisation, second, third, ...rest] = path.split('/');
  if (empty !== '' || organisation === undefined || rest.length > 0 || !SLUG.test(organisation)) return false;
  ctx.organisationSlug = organisation;
  if (second === 'mcp' && third === undefined) return true;
  if (third !== 'mcp' || second === undefined || !SLUG.test(second)) return false;
  ctx.serverSlug = second;
  return true;
}
