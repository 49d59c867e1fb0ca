import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { refusal, type ErrorCode } from '@patchbay/errors';
import { isPrivateEnough, makeHostCheck } from '@patchbay/listening';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppModule } from './app.module.ts';
import { presentCertificate, tlsOf } from './common/tls.ts';
import { problemOf } from './common/problem.ts';
import { Refused } from './common/refused.ts';
import { tellMadeRevisions } from './common/made-revision.ts';
import { Routes } from './common/routes.ts';
import { Callers, isTrustedBrowser } from './modules/identity/index.ts';
import { countRequests } from './ops/count-requests.ts';
import type { Config } from './config/config.ts';
import type { Platform } from './platform.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];
const METHODS_WITH_ROUTES = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT'];

/** No page of ours runs inline scripts, is framed, or loads anything from elsewhere. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** The API over HTTP, ready to listen. */
export async function createHttpApp(platform: Platform): Promise<NestFastifyApplication> {
  const { public: listener } = platform.config.listeners;
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    onProtoPoisoning: 'error',
    ...tlsOf(listener),
    // Before any hook has run: an address that cannot be decoded names nothing.
    frameworkErrors: (_error: unknown, _request: unknown, reply: FastifyReply) =>
      void refuse(reply.headers(SECURITY_HEADERS), 'http.not_found'),
  });
  const instance: FastifyInstance = adapter.getInstance();
  presentCertificate(instance, listener, platform.logger);
  const patterns = collectRoutes(instance);
  countRequests(instance, 'api', platform.meters);
  platform.spans.ofRequests(instance, 'api');
  // JSON and nothing else: what a foreign page can send without asking never reaches a route.
  instance.removeContentTypeParser('text/plain');
  guardRequests(instance, platform.config);
  guardBodies(instance, () => app.get(Callers));
  tellMadeRevisions(instance);
  const app: NestFastifyApplication = await NestFactory.create<NestFastifyApplication>(AppModule.of(platform), adapter, {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  await app.init();
  await instance.ready();
  app.get(Routes).patterns = patterns;
  return app;
}

type Pattern = { readonly method: string; readonly expression: RegExp };

/** Remembers every route, so that a wrong method at a right address can be told from a wrong address. */
function collectRoutes(instance: FastifyInstance): Pattern[] {
  const patterns: Pattern[] = [];
  instance.addHook('onRoute', ({ method, url }) => {
    const expression = new RegExp(`^${url.replaceAll(/:[A-Za-z]+/g, '[^/]+')}/?$`);
    for (const each of [method].flat()) patterns.push({ method: each, expression });
  });
  return patterns;
}

function guardRequests(instance: FastifyInstance, { apiPort, apiUrl, listeners: { public: listener } }: Config): void {
  const hosts = new Set([...LOOPBACK.map((host) => `${host}:${apiPort}`), apiUrl.host]);
  const isOwnHost = makeHostCheck(listener, (host) => hosts.has(host));
  instance.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (!isPrivateEnough(listener, request.raw)) return refuse(reply, 'http.tls_required');
    // From here on the request says what its client said, whoever passed it on.
    request.headers.host = listener.proxies.host(request.raw);
    // Another name for our address is somebody's attempt to make a browser treat our pages as theirs.
    if (!isOwnHost(request.headers.host, request.socket.localAddress)) return refuse(reply, 'http.host');
    // No name of ours has a NUL, and Postgres takes none.
    if (request.url.includes('%00')) return refuse(reply, 'http.not_found');
    return undefined;
  });
  instance.addHook('preValidation', async (request, reply) => {
    const declared = request.headers['content-type'];
    if (takesBody(request) && request.method !== 'DELETE' && declared !== undefined && !/^application\/json\s*(;|$)/i.test(declared))
      return refuse(reply, 'http.media_type');
    return undefined;
  });
}

/** Reads bodies of nobody but callers we know: what a stranger sends stays in the socket (security.md §2). */
function guardBodies(instance: FastifyInstance, callers: () => Callers): void {
  instance.addHook('onRequest', async (request, reply) => {
    if (!takesBody(request)) return undefined;
    // Signing in is for strangers, from our own page.
    if (request.routeOptions.url === '/api/v1/session') return isTrustedBrowser(request) ? undefined : refuse(reply, 'auth.cross_site');
    try {
      return (await callers().of(request)) === null ? await refuse(reply, 'auth.signed_out') : undefined;
    } catch (error) {
      if (error instanceof Refused) return refuse(reply, error.refusal.code);
      throw error;
    }
  });
}

function takesBody({ method }: FastifyRequest): boolean {
  return METHODS_WITH_ROUTES.slice(1).includes(method);
}

async function refuse(reply: FastifyReply, code: ErrorCode): Promise<FastifyReply> {
  const problem = problemOf(refusal(code));
  if (code === 'auth.signed_out') reply.header('www-authenticate', 'Bearer realm="patchbay-api"');
  // What was not read is not waited for.
  if (!reply.request.raw.complete) reply.header('connection', 'close');
  return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}
