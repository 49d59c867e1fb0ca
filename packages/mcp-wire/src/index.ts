export { classify, unsupportedVersion, type EraInput, type EraOutcome } from './era.ts';
export { isObject } from './is-object.ts';
export {
  memberOf,
  sliceElements,
  sliceMember,
  sliceMembers,
  sliceObject,
  withoutMembers,
  type Member,
  type SlicedObject,
} from './json-slices.ts';
export { selectStrings, type Selected, type Selector } from './json-select.ts';
export { foldKey } from './json-text.ts';
export { buildNameTable, exposedName, type NamedEntry } from './names.ts';
export { INITIALIZED_NOTIFICATION, initializeRequest, legacyErrorCode, type InitializeInput } from './rev-2025-11-25/initialize.ts';
export { knowsAllContent, olderContent } from './rev-2025-11-25/older-content.ts';
export { olderQuestion } from './rev-2025-11-25/older-questions.ts';
export { hasObjectOutput, legacyStructuredContent, legacyToolDefinition } from './rev-2025-11-25/tool-output.ts';
export { addMetaMembers, completeResult, META_KEYS, modernErrorCode, requestMeta, type RequestMeta } from './rev-2026-07-28/envelope.ts';
export { decodeHeaderValue, encodeHeaderValue } from './rev-2026-07-28/header-value.ts';
export { checkModernHeaders, mcpNameOf, modernHeaders, type HeaderBag } from './rev-2026-07-28/headers.ts';
export {
  checkParamHeaders,
  paramAnnotations,
  paramHeaders,
  type ParamAnnotation,
  type ParamAnnotations,
} from './rev-2026-07-28/mcp-param.ts';
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
export { scanMessage, type ScanOptions, type ScanOutcome } from './scan.ts';
export { ScannedMessage, type MessageId, type MessageKind, type TypedMember } from './scanned-message.ts';
export type { Span } from './span.ts';
export { splice, type Edit } from './splice.ts';
export { encodeSseEvent, SseParser, type OutgoingSseEvent, type SseEvent } from './sse.ts';
export { matchesTemplate, readUriTemplate, type UriTemplate } from './uri-template.ts';
export { exposedUri, readExposedUri, type ExposedUri } from './uris.ts';
