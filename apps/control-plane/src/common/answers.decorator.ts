import { SetMetadata } from '@nestjs/common';
import type { z } from 'zod';

/** What a route takes and gives, for the OpenAPI document and for the tests that hold answers to it. */
export type RouteDescription = {
  readonly status: number;
  readonly summary: string;
  readonly response: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly query: z.ZodObject | null;
};

export const DESCRIPTION = 'patchbay:description';

type Shapes = { readonly response?: z.ZodType; readonly body?: z.ZodType; readonly query?: z.ZodObject };

/** Describes a route. `status` is documentation: the route itself sets it. */
export const Answers = (status: number, summary: string, { response, body, query }: Shapes = {}): MethodDecorator =>
  SetMetadata(DESCRIPTION, {
    status,
    summary,
    response: response ?? null,
    body: body ?? null,
    query: query ?? null,
  } satisfies RouteDescription);
