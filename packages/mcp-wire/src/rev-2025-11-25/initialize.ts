import type { MessageId } from '../scanned-message.ts';
import type { LegacyVersion } from '../revisions.ts';

export type InitializeInput = {
  readonly id: MessageId;
  readonly protocolVersion: LegacyVersion;
  readonly clientInfo: { readonly name: string; readonly version: string };
};

/** Opens an upstream session without client capabilities, so that the upstream sends us no requests. */
export function initializeRequest({ id, protocolVersion, clientInfo }: InitializeInput): string {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: clientInfo.name, version: clientInfo.version } };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params });
}

/** Must follow the answer to `initialize`, before anything else. */
export const INITIALIZED_NOTIFICATION = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** The error code a legacy peer is told for a modern upstream's: resources/read had its own code for "not found". */
export function legacyErrorCode(method: string, code: number): number {
  return method === 'resources/read' && code === -32602 ? -32002 : code;
}
