import { type Refusal, refusal } from '@patchbay/errors';
import { type InputRequired, readInputRequired } from '../rounds/input-required.ts';
import {
  completeResult,
  type Edit,
  legacyErrorCode,
  modernErrorCode,
  type ScannedMessage,
  sliceMember,
  sliceMembers,
  splice,
} from '@patchbay/mcp-wire';

/** What an answer is changed by. `id`: the client's own id as it wrote it, or null when it is already right. */
export type AnswerChanges = { readonly id: string | null; readonly method: string; readonly slug: string };

/** Same era: the id at most. */
export function sameEraAnswer(bytes: Buffer, message: ScannedMessage, { id }: AnswerChanges): Buffer {
  return apply(bytes, idEdit(message, id));
}

/** A legacy answer for a modern client: results completed, codes that the revision retired replaced. */
export function legacyToModernAnswer(
  bytes: Buffer,
  message: ScannedMessage,
  changes: AnswerChanges,
  serverInfo: string | null,
): Buffer | Refusal {
  const edits = idEdit(message, changes.id);
  if (message.resultSpan !== null) {
    const { end, start } = message.resultSpan;
    const completed = completeResult(changes.method, bytes.subarray(start, end), serverInfo);
    if (completed === null) return refusal('upstream.broken', `Server "${changes.slug}" answered with a result that is no object.`);
    edits.push({ start, end, replacement: completed });
    return apply(bytes, edits);
  }
  const error = errorOf(bytes);
  if (error === null) return refusal('upstream.broken', `Server "${changes.slug}" answered with an error that has no code.`);
  const code = modernErrorCode(error.code);
  if (code !== error.code) edits.push({ ...error.codeSpan, replacement: String(code) });
  return apply(bytes, edits);
}

const MISSING_CLIENT_CAPABILITY = -32021;
const HEADER_MISMATCH = -32020;
const UNSUPPORTED_VERSION = -32022;

/** A modern answer for a legacy client, where it is complete; else what the client has to be asked first. */
export function modernToLegacyAnswer(bytes: Buffer, message: ScannedMessage, changes: AnswerChanges): Buffer | InputRequired | Refusal {
  const edits = idEdit(message, changes.id);
  if (message.resultSpan !== null) {
    const resultType = textAt(bytes, ['result', 'resultType']);
    if (resultType === '"input_required"') return readInputRequired(bytes, changes.slug);
    if (resultType !== null && resultType !== '"complete"') return notCarried(changes.slug);
    return apply(bytes, edits);
  }
  const error = errorOf(bytes);
  if (error === null) return refusal('upstream.broken', `Server "${changes.slug}" answered with an error that has no code.`);
  if (error.code === MISSING_CLIENT_CAPABILITY) return capabilityMissing(bytes, changes.slug);
  if (isOfOurHop(error.code)) return refusal('upstream.broken', `Server "${changes.slug}" refused our request's headers or version.`);
  const code = legacyErrorCode(changes.method, error.code);
  if (code !== error.code) edits.push({ ...error.codeSpan, replacement: String(code) });
  return apply(bytes, edits);
}

/** Errors that judge what we sent, not what the client asked: never relayed as the client's own (protocol.md §1.2). */
export function isOfOurHop(code: number): boolean {
  return code === HEADER_MISMATCH || code === UNSUPPORTED_VERSION;
}

function capabilityMissing(bytes: Buffer, slug: string): Refusal {
  const needed = sliceMembers(bytes, ['error', 'data', 'requiredCapabilities']) ?? [];
  const names = needed.map(({ name }) => `"${name.slice(0, 64)}"`).join(', ');
  const what = names === '' ? 'a capability' : names;
  return refusal('upstream.capability_missing', `Server "${slug}" needs ${what}, which your client did not declare.`);
}

function notCarried(slug: string): Refusal {
  return refusal('upstream.era', `Server "${slug}" answered with a kind of result that your client's revision does not have.`);
}

function idEdit({ idSpan }: ScannedMessage, id: string | null): Edit[] {
  return id === null || idSpan === null ? [] : [{ ...idSpan, replacement: id }];
}

function errorOf(bytes: Buffer): { code: number; codeSpan: { start: number; end: number } } | null {
  const codeSpan = sliceMember(bytes, ['error', 'code']);
  if (codeSpan === null) return null;
  const code = Number(bytes.toString('latin1', codeSpan.start, codeSpan.end));
  return Number.isInteger(code) ? { code, codeSpan } : null;
}

function textAt(bytes: Buffer, path: readonly string[]): string | null {
  const span = sliceMember(bytes, path);
  return span === null ? null : bytes.toString('utf8', span.start, span.end);
}

function apply(bytes: Buffer, edits: Edit[]): Buffer {
  if (edits.length === 0) return bytes;
  return splice(
    bytes,
    edits.toSorted((a, b) => a.start - b.start),
  );
}
