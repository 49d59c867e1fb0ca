import type { FastifyInstance } from 'fastify';
import type { Listener, Meters } from './meters.ts';

/** Counts every answer of a listener, refusals included, by its route's pattern. */
export function countRequests(instance: FastifyInstance, listener: Listener, meters: Meters): void {
  instance.addHook('onResponse', async ({ method, routeOptions }, { elapsedTime, statusCode }) =>
    meters.answered({ listener, method, route: routeOptions.url, status: statusCode }, elapsedTime / 1_000),
  );
}
