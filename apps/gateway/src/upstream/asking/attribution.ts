import { type Edit, sliceMember } from '@patchbay/mcp-wire';
import type { CallContext } from '../../pipeline/context.ts';

/** Said before the message of an elicitation; null at a server's own endpoint, which says by itself who asks. */
export function attributionAt({ endpointServer }: Pick<CallContext, 'endpointServer'>, slug: string): string | null {
  return endpointServer === null ? attributionOf(slug) : null;
}

export function attributionOf(slug: string): string {
  return `Server "${slug}" asks: `;
}

/** Puts it before the message at this place; nothing where there is none. */
export function attributionEdits(bytes: Buffer, path: readonly string[], attribution: string): Edit[] {
  const span = sliceMember(bytes, path);
  if (span === null) return [];
  const message: unknown = JSON.parse(bytes.toString('utf8', span.start, span.end));
  return [{ ...span, replacement: JSON.stringify(`${attribution}${String(message)}`) }];
}
