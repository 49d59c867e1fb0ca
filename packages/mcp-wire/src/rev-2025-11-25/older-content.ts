import { isObject } from '../is-object.ts';
import { sliceElements, sliceMember } from '../json-slices.ts';
import type { Span } from '../span.ts';
import { splice, type Edit } from '../splice.ts';

/** Kinds of content by the revision that brought them: earlier clients refuse a whole answer over one of them. */
const SINCE: ReadonlyMap<unknown, string> = new Map([
  ['audio', '2025-03-26'],
  ['resource_link', '2025-06-18'],
]);
/** From here on clients know every kind there is. */
const ALL_KINDS_SINCE = '2025-06-18';

export function knowsAllContent(protocolVersion: string): boolean {
  return protocolVersion >= ALL_KINDS_SINCE;
}

/**
 * An answer to `tools/call` or `prompts/get` whose blocks the client's revision knows: audio becomes an embedded resource with the same
 * bytes, a link to a resource text that names it. All other bytes stay.
 */
export function olderContent(answer: Buffer, method: string, protocolVersion: string): Buffer {
  const edits: Edit[] = [];
  for (const [index, span] of blocksOf(answer, method).entries()) {
    const block: unknown = JSON.parse(answer.toString('utf8', span.start, span.end));
    if (!isObject(block) || protocolVersion >= (SINCE.get(block['type']) ?? '')) continue;
    edits.push({ ...span, replacement: JSON.stringify(block['type'] === 'audio' ? embeddedAudio(block, index) : linkText(block)) });
  }
  return edits.length === 0 ? answer : splice(answer, edits);
}

type Block = Readonly<Record<string, unknown>>;

function blocksOf(answer: Buffer, method: string): readonly Span[] {
  if (method === 'tools/call') return sliceElements(answer, ['result', 'content']) ?? [];
  if (method !== 'prompts/get') return [];
  return (sliceElements(answer, ['result', 'messages']) ?? []).flatMap(({ end, start }) => {
    const content = sliceMember(answer.subarray(start, end), ['content']);
    return content === null ? [] : [{ start: start + content.start, end: start + content.end }];
  });
}

function embeddedAudio({ annotations, data, mimeType }: Block, index: number): Block {
  const resource = { uri: `urn:patchbay:audio:${index}`, mimeType, blob: data };
  return { type: 'resource', resource, ...(annotations === undefined ? {} : { annotations }) };
}

function linkText({ annotations, description, name, title, uri }: Block): Block {
  const named = [title ?? name, description].filter((each) => typeof each === 'string').join(': ');
  const text = `Resource ${String(uri)}${named === '' ? '' : ` (${named})`}`;
  return { type: 'text', text, ...(annotations === undefined ? {} : { annotations }) };
}
