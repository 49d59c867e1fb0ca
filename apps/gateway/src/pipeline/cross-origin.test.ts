import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { CompiledSnapshot } from '../snapshot/compiled.ts';
import { CallContext } from './context.ts';
import { judgeLoaded, makeJudgeOrigin, makePreflight } from './cross-origin.ts';

const LISTED = 'https://app.example.com';
const LOADED = { allowedOrigins: new Set([LISTED]) } as unknown as CompiledSnapshot;
const PLAIN = {} as CompiledSnapshot;
const snapshots = { current: (slug: string) => ({ acme: LOADED, plain: PLAIN })[slug] };
const judge = makeJudgeOrigin({ snapshots, origins: new Set(['http://127.0.0.1:8471']) });

/** What of a response this is about. */
function emptyResponse(): ServerResponse {
  const headers = new Map<string, unknown>();
  const response = {
    statusCode: 200,
    setHeader: (name: string, value: unknown) => headers.set(name, value),
    getHeader: (name: string) => headers.get(name),
    removeHeader: (name: string) => headers.delete(name),
    writeHead: (status: number) => Object.assign(response, { statusCode: status }),
    end: () => response,
  };
  return response as unknown as ServerResponse;
}

function call(slug: string, headers: IncomingHttpHeaders): CallContext {
  const request = { method: 'POST', headers } as IncomingMessage;
  const ctx = new CallContext(request, emptyResponse(), 0);
  ctx.organisationSlug = slug;
  return ctx;
}

const told = ({ response }: CallContext): unknown[] =>
  ['origin', 'expose-headers', 'credentials'].map(
    (name) => response.getHeader(`access-control-allow-${name}`) ?? response.getHeader(`access-control-${name}`),
  );

test('a page that its organisation lists may read answers and what clients need of their headers, never with credentials (trap 23)', () => {
  const ctx = call('acme', { origin: LISTED });
  expect(judge(ctx)).toBeUndefined();
  expect(told(ctx)).toEqual([LISTED, 'Mcp-Session-Id, WWW-Authenticate', undefined]);
  expect(ctx.response.getHeader('vary')).toBe('Origin');
  expect(judgeLoaded(ctx, LOADED)).toBeUndefined();
});

test.each([
  ['acme', 'https://evil.example'],
  ['acme', 'https://app.example.com.evil.example'],
  ['acme', 'HTTPS://app.example.com'],
  ['acme', 'null'],
  ['acme', ''],
  ['plain', LISTED],
  ['', LISTED],
])('any other is refused and may read nothing (%s, %s)', (slug, origin) => {
  const ctx = call(slug, { origin });
  expect(judge(ctx)?.code).toBe('http.origin');
  expect(told(ctx)).toEqual([undefined, undefined, undefined]);
});

test.each([{}, { origin: 'http://127.0.0.1:8471' }])('no page, and ours, are told nothing and asked nothing (%j)', (headers) => {
  const ctx = call('acme', headers);
  expect(judge(ctx)).toBeUndefined();
  expect(told(ctx)).toEqual([undefined, undefined, undefined]);
  expect(judgeLoaded(ctx, PLAIN)).toBeUndefined();
});

test('for an organisation that is not in memory the last word is said once it is, and then nothing may be read', () => {
  const unlisted = call('cold', { origin: 'https://evil.example' });
  expect(judge(unlisted)).toBeUndefined();
  expect(judgeLoaded(unlisted, LOADED)?.code).toBe('http.origin');
  expect(told(unlisted)).toEqual([undefined, undefined, undefined]);
  const listed = call('cold', { origin: LISTED });
  expect(judge(listed)).toBeUndefined();
  expect(judgeLoaded(listed, LOADED)).toBeUndefined();
  expect(told(listed)[0]).toBe(LISTED);
});

const ASKED =
  'authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, mcp-param-region, last-event-id, traceparent, accept';

function ask(url: string, headers: IncomingHttpHeaders, method = 'OPTIONS') {
  const request = { method, url, headers: { host: 'mcp.example.com', ...headers } } as IncomingMessage;
  const response = emptyResponse();
  const preflight = makePreflight({ isForUs: ({ headers: { host } }) => host === 'mcp.example.com', snapshots });
  const outcome = preflight(request, response);
  const header = (name: string) => response.getHeader(`access-control-${name}`);
  return { outcome, status: response.statusCode, header };
}

test.each(['/acme/mcp', '/acme/server/mcp', '/acme/sse', '/acme/server/messages?session=x', '/acme/ws'])(
  'a browser is told before a request of a listed page that %s takes it, with the headers that clients send and no others',
  (url) => {
    const { outcome, status, header } = ask(url, {
      origin: LISTED,
      'access-control-request-method': 'POST',
      'access-control-request-headers': `${ASKED}, x-evil`,
    });
    expect([outcome, status]).toEqual(['answered', 204]);
    expect([header('allow-origin'), header('allow-methods'), header('max-age')]).toEqual([LISTED, 'GET, POST, DELETE', 600]);
    expect(header('allow-headers')).toBe(ASKED);
    expect(header('allow-credentials')).toBeUndefined();
  },
);

test('it is refused for any other page, and for a name that is not ours', () => {
  const asking = { 'access-control-request-method': 'POST' };
  expect(ask('/acme/mcp', { origin: 'https://evil.example', ...asking }).outcome).toMatchObject({ code: 'http.origin' });
  expect(ask('/plain/mcp', { origin: LISTED, ...asking }).outcome).toMatchObject({ code: 'http.origin' });
  expect(ask('/acme/mcp', { host: 'rebound.example', origin: LISTED, ...asking }).outcome).toMatchObject({ code: 'http.host' });
});

test('for an organisation that is not in memory nothing is promised that lasts: the request itself is judged', () => {
  const { outcome, header } = ask('/cold/mcp', { origin: 'https://evil.example', 'access-control-request-method': 'POST' });
  expect([outcome, header('max-age')]).toEqual(['answered', undefined]);
});

test('what is no such question goes on', () => {
  expect(ask('/acme/mcp', { origin: LISTED }).outcome).toBe('other');
  expect(ask('/acme/mcp', { 'access-control-request-method': 'POST' }).outcome).toBe('other');
  expect(ask('/acme/mcp', { origin: LISTED, 'access-control-request-method': 'POST' }, 'POST').outcome).toBe('other');
  expect(ask('/livez', { origin: LISTED, 'access-control-request-method': 'POST' }).outcome).toBe('other');
});
