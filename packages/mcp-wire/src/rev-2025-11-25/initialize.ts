import type { MessageId } from '../scanned-message.ts';
import type { LegacyVersion } from '../revisions.ts';

export type InitializeInput = {
  readonly id: MessageId;
  readonly protocolVersion: LegacyVersion;
  /** JSON text of an object: what the upstream may ask its client for. */
  readonly capabilities: string;
  /** JSON text of an object. */
  readonly clientInfo: string;
};

/** Opens an upstream session. */
export function initializeRequest({ capabilities, clientInfo, id, protocolVersion }: InitializeInput): string {
  const params = `{"protocolVersion":"${protocolVersion}","capabilities":${capabilities},"clientInfo":${clientInfo}}`;
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"initialize","params":${params}}`;
}

/** Must follow the answer to `initialize`, before anything else. */
export const INITIALIZED_NOTIFICATION = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** The error code a legacy peer is told for a modern upstream's: resources/read had its own code for "not found". */
export function legacyErrorCode(method: string, code: number): number {
  return method === 'resources/read' && code === -32602 ? -32002 : code;
}
