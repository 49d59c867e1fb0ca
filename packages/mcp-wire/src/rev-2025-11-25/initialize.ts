import type { MessageId } from '../scanned-message.ts';
import type { LegacyVersion } from '../revisions.ts';

export type InitializeInput = {
  readonly id: MessageId;
  readonly protocolVersion: LegacyVersion;
  /** JSON text of an object: what the upstream may ask its client for. */
  readonly capabilities: string;
  readonly clientInfo: { readonly name: string; readonly version: string };
};

/** Opens an upstream session. */
export function initializeRequest({ capabilities, clientInfo: { name, version }, id, protocolVersion }: InitializeInput): string {
  const params = { protocolVersion, capabilities: JSON.parse(capabilities) as unknown, clientInfo: { name, version } };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params });
}

/** Must follow the answer to `initialize`, before anything else. */
export const INITIALIZED_NOTIFICATION = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** The error code a legacy peer is told for a modern upstream's: resources/read had its own code for "not found". */
export function legacyErrorCode(method: string, code: number): number {
  return method === 'resources/read' && code === -32602 ? -32002 : code;
}
