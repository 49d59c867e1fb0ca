import { createHash } from 'node:crypto';
import { scanMessage, sliceMember, splice } from '@patchbay/mcp-wire';
import type { Incoming } from './process/exchange.ts';
import { resultText } from './process/rpc-text.ts';

const SHARED_PROTOCOL_VERSION = '2025-11-25';

/** The host is the client of what all share, and one without capabilities: what a server asks of its client, no session could answer for all. */
export function ownInitialize(version: string): Incoming {
  const params = { protocolVersion: SHARED_PROTOCOL_VERSION, capabilities: {}, clientInfo: { name: 'patchbay-stdio-host', version } };
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  const scanned = scanMessage(bytes);
  if (!scanned.ok) throw new TypeError('our own initialize is not JSON-RPC');
  return { bytes, message: scanned.message };
}

/** Alike for clients that declare the same: version and capabilities, as they wrote them. */
export function digestOf({ bytes, message }: Incoming): string {
  const { capabilitiesSpan, protocolVersion } = message;
  const capabilities = capabilitiesSpan === null ? '' : bytes.toString('utf8', capabilitiesSpan.start, capabilitiesSpan.end);
  return createHash('sha256').update(`${protocolVersion} ${capabilities}`).digest('base64url');
}

/** The result's own bytes, or null when the answer is an error. */
export function resultOf(answer: Buffer): Buffer | null {
  const scanned = scanMessage(answer, { depthMax: 256, elementsMax: 5_000_000 });
  const span = scanned.ok ? scanned.message.resultSpan : null;
  return span === null ? null : Buffer.from(answer.subarray(span.start, span.end));
}

/** What another `initialize` was answered, for this one. */
export function asAnswerTo({ bytes, message }: Incoming, result: Buffer): Buffer {
  const idText = message.idSpan === null ? 'null' : bytes.toString('utf8', message.idSpan.start, message.idSpan.end);
  return resultText(idText, result);
}

/** The result less what a process that all share is not asked for: one client's log level or subscription would be everybody's. */
export function ofShared(result: Buffer): Buffer {
  const span = sliceMember(result, ['capabilities']);
  const declared: unknown = span === null ? null : JSON.parse(result.toString('utf8', span.start, span.end));
  if (span === null || typeof declared !== 'object' || declared === null) return result;
  const capabilities: Record<string, unknown> = { ...declared };
  delete capabilities['logging'];
  const { resources } = capabilities;
  if (typeof resources === 'object' && resources !== null) capabilities['resources'] = { ...resources, subscribe: false };
  return splice(result, [{ ...span, replacement: JSON.stringify(capabilities) }]);
}
