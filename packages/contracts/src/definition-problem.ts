import { z } from 'zod';
import type { CatalogueEntryKind } from './snapshot.ts';

type Era = 'legacy' | 'modern';

const icon = z.looseObject({
  src: z.string(),
  mimeType: z.string().optional(),
  sizes: z.array(z.string()).optional(),
  theme: z.enum(['light', 'dark']).optional(),
});
const described = {
  title: z.string().optional(),
  description: z.string().optional(),
  icons: z.array(icon).optional(),
  _meta: z.looseObject({}).optional(),
};
const annotations = z.looseObject({
  audience: z.array(z.enum(['user', 'assistant'])).optional(),
  priority: z.number().min(0).max(1).optional(),
  lastModified: z.iso.datetime({ offset: true }).optional(),
});
const hints = z.looseObject({
  title: z.string().optional(),
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});
const execution = z.looseObject({ taskSupport: z.enum(['required', 'optional', 'forbidden']).optional() });
/** Before 2026-07-28 a schema is of an object, and each of its properties an object. */
const legacySchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), z.looseObject({})).optional(),
  required: z.array(z.string()).optional(),
});
const modernSchema = z.looseObject({ type: z.literal('object') });
const resource = { ...described, name: z.string(), mimeType: z.string().optional(), annotations: annotations.optional() };

/** One wrong member and an official client rejects the whole list, so these are as strict as they are. */
const SHAPES: Readonly<Record<Era, Readonly<Record<CatalogueEntryKind, z.ZodType>>>> = {
  legacy: shapes(legacySchema, legacySchema),
  modern: shapes(modernSchema, z.looseObject({})),
};

function shapes(input: z.ZodType, output: z.ZodType): Record<CatalogueEntryKind, z.ZodType> {
  return {
    tool: z.looseObject({
      ...described,
      inputSchema: input,
      outputSchema: output.optional(),
      annotations: hints.optional(),
      execution: execution.optional(),
    }),
    prompt: z.looseObject({
      ...described,
      arguments: z
        .array(z.looseObject({ name: z.string(), description: z.string().optional(), required: z.boolean().optional() }))
        .optional(),
    }),
    resource: z.looseObject({ ...resource, size: z.number().optional() }),
    template: z.looseObject(resource),
  };
}

/** What keeps a definition from being listed, to be read after the kind of entry; null when it is well formed. */
export function definitionProblem(kind: CatalogueEntryKind, definition: Record<string, unknown>, era: Era): string | null {
  const [issue] = SHAPES[era][kind].safeParse(definition).error?.issues ?? [];
  if (issue === undefined) return null;
  const [member = ''] = issue.path;
  return definition[String(member)] === undefined ? `without ${article(String(member))}` : `with a malformed ${String(member)}`;
}

function article(member: string): string {
  return /^[aeiou]/.test(member) ? `an ${member}` : `a ${member}`;
}
