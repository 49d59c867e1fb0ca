import { type Refusal, refusal } from '@patchbay/errors';
import { type ScannedMessage, sliceMember, isObject } from '@patchbay/mcp-wire';

/** How a legacy server says that its user has to open links first. */
export const URL_ELICITATION_REQUIRED = -32042;

/** A link as an input request: its key, and the JSON text of `{method, params}`. */
export type Link = { readonly key: string; readonly request: string };

/** The links of such an error. A refusal when there are none, or when one leads to us: pages of ours are for us alone to point to. */
export function linksOf(
  bytes: Buffer,
  { ownOrigin, slug }: { readonly ownOrigin: string; readonly slug: string },
): readonly Link[] | Refusal {
  const span = sliceMember(bytes, ['error', 'data']);
  const data: unknown = span === null ? null : JSON.parse(bytes.toString('utf8', span.start, span.end));
  const elicitations = isObject(data) && Array.isArray(data['elicitations']) ? (data['elicitations'] as unknown[]) : [];
  const links: Link[] = [];
  for (const [index, elicitation] of elicitations.entries()) {
    if (!isObject(elicitation) || typeof elicitation['url'] !== 'string') continue;
    const { elicitationId, message, url } = elicitation;
    if (leadsTo(ownOrigin, url)) return refusal('upstream.broken', `Server "${slug}" asks its user to open a page of Patchbay.`);
    const params = { mode: 'url', message: typeof message === 'string' ? message : '', url };
    const key = typeof elicitationId === 'string' ? elicitationId : `link-${index}`;
    links.push({ key, request: JSON.stringify({ method: 'elicitation/create', params }) });
  }
  if (links.length === 0) return refusal('upstream.broken', `Server "${slug}" asks its user to open a link, and names none.`);
  return links;
}

/** Whether a server's request would send its user to a page of this origin. */
export function asksForPageOf(origin: string, bytes: Buffer, { method }: Pick<ScannedMessage, 'method'>): boolean {
  const span = method === 'elicitation/create' ? sliceMember(bytes, ['params', 'url']) : null;
  const url: unknown = span === null ? null : JSON.parse(bytes.toString('utf8', span.start, span.end));
  return typeof url === 'string' && leadsTo(origin, url);
}

/** Whether a link has this origin; what is no URL leads nowhere. */
export function leadsTo(origin: string, url: string): boolean {
  return URL.canParse(url) && new URL(url).origin === origin;
}
