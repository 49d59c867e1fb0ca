import { z } from 'zod';
import { refusedField } from './refused.ts';

/** Query of every list. */
export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(100),
  cursor: z.string().min(1).max(512).optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** One page; `nextCursor` is null on the last. */
export type Page<T> = { readonly items: T[]; readonly nextCursor: string | null };

export const pageOf = <S extends z.ZodType>(item: S): z.ZodObject<{ items: z.ZodArray<S>; nextCursor: z.ZodNullable<z.ZodString> }> =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

/** The key after which a page starts: a cursor is the last key of the page before, and opaque to callers. */
export function startAfter({ cursor }: PageQuery, key: z.ZodType<string>): string | null {
  if (cursor === undefined) return null;
  const parsed = key.safeParse(Buffer.from(cursor, 'base64url').toString('utf8'));
  if (!parsed.success) throw refusedField('api.validation', '/cursor', 'is not a cursor of this list');
  return parsed.data;
}

/** Makes a page of at most `limit` rows out of `limit + 1` that were read. */
export function toPage<Row, T>(rows: readonly Row[], limit: number, { key, view }: { key(row: Row): string; view(row: Row): T }): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items: shown.map(view), nextCursor: more ? Buffer.from(key(last), 'utf8').toString('base64url') : null };
}
