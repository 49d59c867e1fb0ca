import { z } from 'zod';
import { LimitId, ServerId, ServerSlug, TokenId } from './ids.ts';
import { GrantSubject } from './snapshot.ts';
import { text } from './text.ts';

/** Limits of one organisation: each is looked at on the calls it applies to. */
export const LIMITS_MAX = 200;

/** `audit` counts what it would have refused and refuses nothing. */
export const LimitMode = z.enum(['enforce', 'audit']);
export type LimitMode = z.infer<typeof LimitMode>;

/**
 * What makes a counter of its own: with `user` each user has one, with `user` and `server` each user has one on each server.
 * With `tool` each tool of each server has one; calls about prompts, resources and completions share one on each server.
 */
export const LimitDimension = z.enum(['user', 'token', 'server', 'tool']);
export type LimitDimension = z.infer<typeof LimitDimension>;

const DAY_S = 86_400;
const WINDOWS_MAX = 4;
const COUNT_MAX = 1_000_000_000;

/** At most `max` calls in any `seconds`. */
export const LimitWindowInput = z.strictObject({
  seconds: z
    .number()
    .int()
    .min(1)
    .max(31 * DAY_S),
  max: z.number().int().min(1).max(COUNT_MAX),
});
export type LimitWindowInput = z.infer<typeof LimitWindowInput>;

/** Which calls a limit counts: those that meet all that is not null. */
export const LimitScope = z.strictObject({
  /** Calls of this user, or of everyone: as in grants. */
  subject: GrantSubject.nullable().default(null),
  /** Calls with this personal access token. */
  token: TokenId.nullable().default(null),
  server: ServerSlug.nullable().default(null),
  /** Calls of this tool of `server`, by the server's own name for it. */
  tool: text.min(1).max(256).nullable().default(null),
});
export type LimitScope = z.infer<typeof LimitScope>;

const fields = {
  name: text.min(1).max(120),
  mode: LimitMode,
  per: z.array(LimitDimension).max(LimitDimension.options.length).refine(areDistinct, { error: 'names one thing twice' }),
  applies: LimitScope.refine(({ server, tool }) => tool === null || server !== null, {
    path: ['tool'],
    error: 'needs a server: names of tools are names of a server',
  }),
  /** All of them hold at once. */
  windows: z
    .array(LimitWindowInput)
    .max(WINDOWS_MAX)
    .refine((windows) => areDistinct(windows.map(({ seconds }) => seconds)), { error: 'has two windows of one length' }),
  /** Calls at one time; null: any number. */
  concurrency: z.number().int().min(1).max(100_000).nullable(),
};

function areDistinct(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

/** Without `per` one counter serves the whole organisation. */
export const LimitInput = z
  .strictObject({
    ...fields,
    mode: fields.mode.default('enforce'),
    per: fields.per.default([]),
    applies: fields.applies.default({ subject: null, token: null, server: null, tool: null }),
    windows: fields.windows.default([]),
    concurrency: fields.concurrency.default(null),
  })
  .refine(({ windows, concurrency }) => windows.length > 0 || concurrency !== null, {
    path: ['windows'],
    error: 'must not be empty without a concurrency: the limit would limit nothing',
  })
  .meta({
    examples: [
      {
        name: '60 calls a minute and 5,000 a day for each user',
        per: ['user'],
        windows: [
          { seconds: 60, max: 60 },
          { seconds: DAY_S, max: 5_000 },
        ],
      },
      {
        name: 'two exports at a time',
        applies: { server: 'reports', tool: 'export' },
        concurrency: 2,
      },
    ],
  });
export type LimitInput = z.infer<typeof LimitInput>;

/** PATCH: what is left out stays; `applies`, `per` and `windows` are replaced whole. */
export const LimitChange = z
  .strictObject({
    name: fields.name.optional(),
    mode: fields.mode.optional(),
    per: fields.per.optional(),
    applies: fields.applies.optional(),
    windows: fields.windows.optional(),
    concurrency: fields.concurrency.optional(),
  })
  .meta({ examples: [{ mode: 'audit' }] });
export type LimitChange = z.infer<typeof LimitChange>;

export const Limit = z.object({
  id: LimitId,
  ...fields,
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Limit = z.infer<typeof Limit>;

/** Part `limits`, key = `0`: the limits of an organisation, oldest first. Not in a manifest whose organisation has none. */
export const LimitsPart = z.object({
  format: z.literal(1),
  limits: z.array(
    z.object({
      id: LimitId,
      name: z.string(),
      mode: LimitMode,
      per: z.array(LimitDimension),
      applies: z.object({
        subject: GrantSubject.nullable(),
        tokenId: TokenId.nullable(),
        serverId: ServerId.nullable(),
        tool: z.string().nullable(),
      }),
      windows: z.array(z.object({ windowMs: z.number().int().positive(), max: z.number().int().positive() })),
      concurrency: z.number().int().positive().nullable(),
    }),
  ),
});
export type LimitsPart = z.infer<typeof LimitsPart>;
