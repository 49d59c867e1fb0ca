import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refusal } from '@patchbay/errors';
import { Logger } from './logger.ts';
import { answerTo, problemOf } from './problem.ts';
import { Routes } from './routes.ts';

/** Answers every error of the API as a problem document; faults of ours are logged with their cause, never shown. */
@Catch()
export class FaultFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly routes: Routes,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const { problem, ours } = answerTo(error);
    if (problem.code === 'http.not_found') return this.#nothingThere(request, reply);
    if (ours)
      this.logger.error({ err: error, method: request.method, route: request.routeOptions.url, code: problem.code }, 'request failed');
    if (problem.status === 503) reply.header('retry-after', '1');
    if (problem.code === 'auth.signed_out') reply.header('www-authenticate', 'Bearer realm="patchbay-api"');
    reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }

  #nothingThere({ url }: FastifyRequest, reply: FastifyReply): void {
    const methods = this.routes.methodsAt(url.split('?', 1)[0] ?? '');
    const problem = problemOf(refusal(methods.length === 0 ? 'http.not_found' : 'http.method'));
    if (methods.length > 0) reply.header('allow', methods.join(', '));
    reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}
