import { refusal, type Refusal } from '@patchbay/errors';
import type { ScannedMessage } from '../scanned-message.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';

/** Request headers as node:http hands them over: lower-case names. */
export type HeaderBag = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Which member of `params` the `Mcp-Name` header repeats, by method; the others carry none (SEP-2243, SEP-2663). */
const NAME_MEMBER: ReadonlyMap<string, 'name' | 'uri' | 'taskId'> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** The text that `Mcp-Name` carries for this message; null when its method has none or the body lacks it. */
export function mcpNameOf(message: ScannedMessage): string | null {
  const member = NAME_MEMBER.get(message.method);
  return member === undefined ? null : message[member];
}

/**
 * Checks that a modern request's headers say what its body says; null when they do. Notifications and responses pass: the revision
 * gives them no header rules. A body without the name that the header repeats passes too: its method answers −32602 for that.
 */
export function checkModernHeaders(headers: HeaderBag, message: ScannedMessage): Refusal | null {
  if (message.kind !== 'request') return null;
  return (
    checkHeader(headers, 'MCP-Protocol-Version', message.metaProtocolVersion, trimmed) ??
    checkHeader(headers, 'Mcp-Method', message.method, trimmed) ??
    checkHeader(headers, 'Mcp-Name', mcpNameOf(message), decodeHeaderValue)
  );
}

/** The headers of a modern request of ours with this method and, where the method carries one, name; names and values as sent. */
export function modernHeaders(protocolVersion: string, method: string, name: string | null): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-protocol-version': protocolVersion, 'mcp-method': method };
  if (name !== null && NAME_MEMBER.has(method)) headers['mcp-name'] = encodeHeaderValue(name);
  return headers;
}

type Read = (value: string) => string | null;

// Only Mcp-Name has an encoded form: reading it into the others would let them say one thing to a proxy and another to us.
const trimmed: Read = (value) => value.trim();

function checkHeader(headers: HeaderBag, name: string, expected: string | null, read: Read): Refusal | null {
  if (expected === null) return null;
  const value = headers[name.toLowerCase()];
  if (value === undefined) return refusal('rpc.header_mismatch', `${name} is missing.`);
  if (typeof value !== 'string') return refusal('rpc.header_mismatch', `${name} is there more than once.`);
  const said = read(value);
  if (said === null) return refusal('rpc.header_mismatch', `${name} holds characters that must be base64-encoded, or bad base64.`);
  return said === expected ? null : refusal('rpc.header_mismatch', `${name} does not match the body.`);
}
