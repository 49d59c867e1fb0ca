import { type MessageId, type ScannedMessage, sliceMember, splice } from '@patchbay/mcp-wire';

/** `token`: what the upstream knows the progress as, and the client's own text for it; null where both are one. */
export type NotificationRules = {
  readonly token: { readonly upstream: MessageId; readonly client: string | null } | null;
  readonly crossesEras: boolean;
  /** The server's lists are this caller's own, and so is their change. */
  readonly isLive: boolean;
  /** Between eras: whether this request asked for log messages. */
  readonly wantsLogs: boolean;
};

/**
 * What of an upstream's notifications on a call's stream reaches its client. List changes do of live servers alone: of others clients hear
 * after the catalogue (architecture.md §5). Between eras only progress and log messages mean the same on both sides.
 */
export function carryNotification(
  bytes: Buffer,
  { method }: ScannedMessage,
  { crossesEras, isLive, token, wantsLogs }: NotificationRules,
): Buffer | null {
  if (method === 'notifications/progress') return token === null ? bytes : restoreToken(bytes, token);
  if (method === 'notifications/message' && crossesEras) return wantsLogs ? bytes : null;
  if (crossesEras || (!isLive && method.endsWith('/list_changed'))) return null;
  return bytes;
}

/** Progress of somebody else's request, or for a token that the client never sent, is not for this client. */
function restoreToken(bytes: Buffer, { client, upstream }: { upstream: MessageId; client: string | null }): Buffer | null {
  const span = sliceMember(bytes, ['params', 'progressToken']);
  if (span === null || client === null) return null;
  if (bytes.toString('utf8', span.start, span.end) !== JSON.stringify(upstream)) return null;
  return splice(bytes, [{ ...span, replacement: client }]);
}
