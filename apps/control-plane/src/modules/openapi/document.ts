import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { Problem } from '@patchbay/contracts';
import { catalog } from '@patchbay/errors';
import { z } from 'zod';
import { DESCRIPTION, type RouteDescription } from '../../common/answers.decorator.ts';
import { REQUIREMENT, type Requirement } from '../../common/requires.decorator.ts';

/** A route as its decorators describe it. */
export type DescribedRoute = {
  readonly method: string;
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly name: string;
  readonly requirement: Requirement | null;
  readonly description: RouteDescription;
};

/** The described routes of these controllers, in the order they are written. */
export function describedRoutes(controllers: readonly Type[]): DescribedRoute[] {
  return controllers.flatMap((controller) => {
    const prefix = String(Reflect.getMetadata(PATH_METADATA, controller));
    const prototype = controller.prototype as Record<string, unknown>;
    return Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      const description =
        typeof handler === 'function' ? (Reflect.getMetadata(DESCRIPTION, handler) as RouteDescription | undefined) : undefined;
      if (typeof handler !== 'function' || description === undefined) return [];
      const method = RequestMethod[Number(Reflect.getMetadata(METHOD_METADATA, handler))]?.toLowerCase() ?? 'get';
      const own = String(Reflect.getMetadata(PATH_METADATA, handler)).replace(/^\/$/, '');
      const path = `/${prefix}${own === '' ? '' : `/${own}`}`.replaceAll(/:([A-Za-z]+)/g, '{$1}');
      const requirement = (Reflect.getMetadata(REQUIREMENT, handler) as Requirement | undefined) ?? null;
      return [{ method, path, name: `${controller.name.replace('Controller', '')}_${name}`, requirement, description }];
    });
  });
}

/** The OpenAPI 3.1 document of these routes. */
export function buildOpenApi(routes: readonly DescribedRoute[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Patchbay API',
      version: 'v1',
      description: 'Register MCP servers, say who may use them, mint tokens. Errors are RFC 9457 problem documents with a stable `code`.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Problem: schemaOf(Problem, 'output') },
      securitySchemes: {
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'patchbay_session',
          description: 'Set by POST /api/v1/session. Needs the header Patchbay-Request: 1.',
        },
        apiToken: { type: 'http', scheme: 'bearer', description: 'An API token (pbapi_…).' },
      },
    },
  };
}

function operation({ name, path, requirement, description: { status, summary, response, body, query } }: DescribedRoute): object {
  const pathParameters = [...path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, parameter = '']) => ({
    name: parameter,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const queryParameters = Object.entries(query?.shape ?? {}).map(([parameter, type]) => ({
    name: parameter,
    in: 'query',
    required: false,
    schema: schemaOf(type, 'input'),
  }));
  const success = {
    description: 'Done.',
    ...(response === null ? {} : { content: { 'application/json': { schema: schemaOf(response, 'output') } } }),
  };
  return {
    operationId: name,
    summary,
    ...(requirement?.kind === 'permission' ? { description: `Needs \`${requirement.permission}\`.` } : {}),
    security: securityOf(requirement),
    parameters: [...pathParameters, ...queryParameters],
    ...(body === null ? {} : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      [String(status)]: success,
      default: { description: 'A problem.', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  };
}

function securityOf(requirement: Requirement | null): object[] {
  if (requirement?.kind === 'public') return [];
  return requirement?.kind === 'session' ? [{ session: [] }] : [{ session: [] }, { apiToken: [] }];
}

/** The JSON schema of what a type takes or gives. */
export function schemaOf(type: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, { io, unrepresentable: 'any', target: 'draft-2020-12' });
  return schema;
}

/** The error codes, for the readable page. */
export const CODES = Object.entries(catalog).map(([code, { http, say }]) => ({ code, http, say }));
