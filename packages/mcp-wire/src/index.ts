export { scanMessage, type ScanOptions, type ScanOutcome } from './scan.ts';
export { ScannedMessage, type MessageId, type MessageKind, type TypedMember } from './scanned-message.ts';
export type { Span } from './span.ts';
export { splice, type Edit } from './splice.ts';
export {
  ASSUMED_LEGACY_VERSION,
  isLegacyVersion,
  LEGACY_VERSIONS,
  MODERN_VERSION,
  negotiateLegacy,
  SUPPORTED_VERSIONS,
  type Era,
  type LegacyVersion,
} from './revisions.ts';
