import { scanMessage, type SseEvent } from '@patchbay/mcp-wire';
import { SCAN } from '../upstream/scan-limits.ts';
import type { ClientStream, EventPosition } from './client-stream.ts';
import type { StreamView } from './stream-view.ts';

/** Where a server's events go. `answer` gets a response for the server, as JSON text. */
export type Carrying = { readonly stream: ClientStream; readonly view: StreamView; answer(response: string): void };

/** Carries one event of a server's stream to its client; what the client is not asked is answered. False: wait for `drained`. */
export function carryEvent({ data, event }: SseEvent, position: EventPosition | null, { answer, stream, view }: Carrying): boolean {
  const bytes = Buffer.from(event === 'message' ? data : '');
  // What is ambiguous is nobody's to read.
  const scanned = bytes.length === 0 ? null : scanMessage(bytes, SCAN);
  const shown = scanned?.ok === true ? view.message(bytes, scanned.message) : null;
  if (Buffer.isBuffer(shown)) return stream.sendEvent(shown, position);
  if (shown !== null && scanned?.ok === true) answer(JSON.stringify({ jsonrpc: '2.0', id: scanned.message.id, error: shown }));
  // What is not carried still moves the position on.
  return position === null || stream.sendPosition(position);
}
