import { Injectable } from '@nestjs/common';
import {
  type ControlPlaneVersion,
  CredentialRequest,
  EraDoubt,
  INTERNAL_PATHS,
  OrganisationId,
  PartHash,
  PodMessages,
  PROTOCOL,
  PROTOCOL_HEADER,
  protocolHeader,
  ServerId,
  TOKEN_TAG_KEY_ID_PURPOSE,
  TokenHash,
  VERSION,
} from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { isLoopbackName, makeHostCheck, mayReadMetrics } from '@patchbay/listening';
import { equalSecrets } from '@patchbay/tokens';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { presentCertificate, tlsOf } from '../../common/tls.ts';
import { answerTo, problemOf } from '../../common/problem.ts';
import type { Config } from '../../config/config.ts';
import { countRequests } from '../../ops/count-requests.ts';
import { Platform } from '../../platform.ts';
import { InternalAnswers } from './internal-answers.ts';
import { SnapshotBuilder } from './snapshot-builder.ts';

const BODY_BYTES_MAX = 64 * 1024;

/** The listener for our own programs: loopback or TLS, a bearer secret per kind of program, nothing for tenants. */
@Injectable()
export class InternalListener {
  /** Told of each server that a pod saw answer as one of another era. */
  eraDoubted: (doubt: EraDoubt) => Promise<void> = () => Promise.resolve();
  readonly #server: FastifyInstance;
  #isEnding = false;

  constructor(
    private readonly platform: Platform,
    private readonly answers: InternalAnswers,
    private readonly snapshots: SnapshotBuilder,
  ) {
    const { private: listener } = platform.config.listeners;
    const isOwnHost = makeHostCheck(listener, isLoopbackName);
    this.#server = fastify({
      bodyLimit: BODY_BYTES_MAX,
      requestTimeout: 30_000,
      logger: false,
      forceCloseConnections: true,
      ...tlsOf(listener),
    });
    presentCertificate(this.#server, listener, platform.logger);
    countRequests(this.#server, 'internal', platform.meters);
    platform.spans.ofRequests(this.#server, 'internal');
    this.#server.addHook('onRequest', async ({ headers, socket }, reply) => {
      reply.header(PROTOCOL_HEADER, protocolHeader(PROTOCOL));
      // A web page that rebinds its own name to this address is told apart by that name.
      return isOwnHost(headers.host, socket.localAddress) ? undefined : refuse(reply, refusal('http.host'));
    });
    this.#server.setErrorHandler((error, _request, reply) => this.#fail(error, reply));
    this.#server.setNotFoundHandler((_request, reply) => refuse(reply, refusal('http.not_found')));
    this.#probes();
    this.#forBoth();
    this.#forGateways();
    this.#forStdioHosts();
  }

  async listen(): Promise<void> {
    await this.#server.listen({ host: this.platform.config.listeners.private.address, port: this.platform.config.internalPort });
  }

  /** Not ready from now on: whoever balances goes elsewhere. Everything is answered as before. */
  announceEnd(): void {
    this.#isEnding = true;
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  #probes(): void {
    this.#server.get('/livez', () => ({ live: true }));
    this.#server.get('/readyz', async (_request, reply) => {
      if (this.#isEnding) return reply.status(503).send({ ready: false, because: 'draining: told to stop' });
      await this.platform.lookups.positions();
      return { ready: true };
    });
    this.#server.get('/metrics', async (request, reply) => {
      if (!mayReadMetrics(this.platform.config.listeners.private, request)) return refuse(reply, refusal('auth.signed_out'));
      const { contentType, text } = await this.platform.meters.render();
      return reply.type(contentType).send(text);
    });
  }

  #forBoth(): void {
    const { config, signer } = this.platform;
    const version: ControlPlaneVersion = {
      protocol: PROTOCOL,
      snapshotKeyId: signer.kid,
      tokenTagKeyId: config.tokenTagKey.derive(TOKEN_TAG_KEY_ID_PURPOSE).current.id,
      version: VERSION,
    };
    const onRequest = this.#demand(config.gatewaySecret, config.stdioHostSecret);
    this.#server.get(INTERNAL_PATHS.version, { onRequest }, () => version);
  }

  #forGateways(): void {
    const onRequest = this.#demand(this.platform.config.gatewaySecret);
    const server = this.#server;
    server.get(INTERNAL_PATHS.revisions, { onRequest }, () => this.answers.revisions());
    server.get(INTERNAL_PATHS.organisation(':slug'), { onRequest }, async ({ params }, reply) =>
      give(reply, await this.answers.organisation(param(params, 'slug'))),
    );
    server.get(INTERNAL_PATHS.token(':organisation', ':hash'), { onRequest }, async ({ params }, reply) =>
      give(reply, await this.answers.token(organisationOf(params), TokenHash.parse(param(params, 'hash')))),
    );
    // From the database, never from the stores: a pod asks here because these are away, or hold something else than we published.
    server.get(INTERNAL_PATHS.manifest(':organisation'), { onRequest }, async ({ params }, reply) =>
      give(reply.type('application/jose'), await this.snapshots.presentManifest(organisationOf(params))),
    );
    server.get(INTERNAL_PATHS.part(':organisation', ':hash'), { onRequest }, async ({ params }, reply) =>
      give(
        reply.type('application/octet-stream'),
        await this.snapshots.presentPart(organisationOf(params), PartHash.parse(param(params, 'hash'))),
      ),
    );
    server.post(INTERNAL_PATHS.podReports, { onRequest }, async ({ body }, reply) => {
      await this.answers.podReports(PodMessages.parse(body).messages);
      return reply.status(204).send();
    });
    server.post(INTERNAL_PATHS.eraDoubts, { onRequest }, async ({ body }, reply) => {
      await this.eraDoubted(EraDoubt.parse(body));
      return reply.status(204).send();
    });
    server.post(INTERNAL_PATHS.credential, { onRequest }, async ({ body }, reply) =>
      give(reply, await this.answers.credential(CredentialRequest.parse(body))),
    );
  }

  #forStdioHosts(): void {
    const onRequest = this.#demand(this.platform.config.stdioHostSecret);
    this.#server.get(INTERNAL_PATHS.launch(':organisation', ':server'), { onRequest }, async ({ params, query }, reply) => {
      const { confines, generation } = query as { confines?: string; generation?: string };
      const wanted = {
        serverId: ServerId.parse(param(params, 'server')),
        generation: String(generation ?? ''),
        confines: confines !== 'no',
      };
      return give(reply, await this.answers.launch(organisationOf(params), wanted));
    });
  }

  /** Any one of these secrets. */
  #demand(...secrets: Config['gatewaySecret'][]): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
    return async ({ headers }, reply) => {
      const said = headers.authorization ?? '';
      if (secrets.some((secret) => equalSecrets(said, `Bearer ${secret.reveal()}`))) return undefined;
      return refuse(reply, refusal('auth.signed_out'));
    };
  }

  #fail(error: unknown, reply: FastifyReply): FastifyReply {
    // A malformed id names nothing that exists.
    if (error instanceof Error && error.name === 'ZodError') return refuse(reply, refusal('api.not_found'));
    const { problem, ours } = answerTo(error);
    if (ours) this.platform.logger.error({ err: error, code: problem.code }, 'internal request failed');
    return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

function give(reply: FastifyReply, answer: object | string | null): FastifyReply {
  if (answer === null) return refuse(reply, refusal('api.not_found'));
  if (typeof answer === 'object' && 'code' in answer && 'data' in answer) return refuse(reply, answer as Refusal);
  return reply.send(answer);
}

function refuse(reply: FastifyReply, refused: Refusal): FastifyReply {
  const problem = problemOf(refused);
  return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

const param = (params: unknown, name: string): string => String((params as Record<string, unknown>)[name]);

const organisationOf = (params: unknown): OrganisationId => OrganisationId.parse(param(params, 'organisation'));
