import { isObject } from '../is-object.ts';
import { sliceMember } from '../json-slices.ts';
import { splice } from '../splice.ts';

/** Titled choices, several choices in one field, and several blocks in one message came with it. */
const SINCE = '2025-11-25';
const AUDIO_SINCE = '2025-03-26';

/**
 * The parameters of a server's request to its client, in the words of the client's revision: titled choices become `enumNames`, a
 * message of several blocks several messages. Null: that revision has no words for it (a field with several choices).
 */
export function olderQuestion(method: string, params: Buffer, protocolVersion: string): Buffer | null {
  if (protocolVersion >= SINCE) return params;
  if (method === 'elicitation/create') return olderForm(params);
  return method === 'sampling/createMessage' ? olderMessages(params, protocolVersion) : params;
}

function olderForm(params: Buffer): Buffer | null {
  const span = sliceMember(params, ['requestedSchema', 'properties']);
  const properties: unknown = span === null ? null : JSON.parse(params.toString('utf8', span.start, span.end));
  if (span === null || !isObject(properties)) return params;
  const fields = Object.entries(properties).map(([name, field]) => [name, olderField(field)] as const);
  if (fields.some(([, field]) => field === null)) return null;
  return splice(params, [{ ...span, replacement: JSON.stringify(Object.fromEntries(fields)) }]);
}

function olderField(field: unknown): unknown {
  if (!isObject(field)) return field;
  if (field['type'] === 'array') return null;
  const { oneOf, ...rest } = field;
  if (!Array.isArray(oneOf) || !oneOf.every(isObject)) return field;
  return { ...rest, enum: oneOf.map((choice) => choice['const']), enumNames: oneOf.map(({ const: value, title }) => title ?? value) };
}

function olderMessages(params: Buffer, protocolVersion: string): Buffer {
  const span = sliceMember(params, ['messages']);
  const messages: unknown = span === null ? null : JSON.parse(params.toString('utf8', span.start, span.end));
  if (span === null || !Array.isArray(messages)) return params;
  const split = messages.flatMap((message: unknown) => {
    if (!isObject(message)) return [message];
    const blocks: unknown[] = Array.isArray(message['content']) ? (message['content'] as unknown[]) : [message['content']];
    return blocks.map((content) => ({ ...message, content: olderBlock(content, protocolVersion) }));
  });
  return splice(params, [{ ...span, replacement: JSON.stringify(split) }]);
}

/** No revision embeds resources in what a model is asked, so audio cannot become one. */
function olderBlock(block: unknown, protocolVersion: string): unknown {
  if (!isObject(block) || block['type'] !== 'audio' || protocolVersion >= AUDIO_SINCE) return block;
  return { type: 'text', text: `(${String(block['mimeType'])}, which this client's protocol revision does not carry)` };
}
