import { refusal, type Refusal } from '@patchbay/errors';
import { isLegacyVersion, MODERN_VERSION, SUPPORTED_VERSIONS, type Era } from './revisions.ts';
import type { ScannedMessage } from './scanned-message.ts';

export type EraInput = {
  readonly method: string;
  /** As node:http hands it over. */
  readonly protocolVersionHeader: string | readonly string[] | undefined;
  /** Null where there is no body: GET and DELETE. */
  readonly message: ScannedMessage | null;
};

export type EraOutcome = { readonly era: Era } | { readonly refusal: Refusal };

const MODERN: EraOutcome = { era: 'modern' };
const LEGACY: EraOutcome = { era: 'legacy' };
/** A version is echoed in the answer; no more of it than this. */
const ECHO_MAX = 64;

/**
 * Decides once per HTTP request which era it speaks: the body's envelope decides, the header only cross-checks (protocol.md §2.1).
 * A modern request's `_meta` is complete afterwards; that its headers agree is `checkModernHeaders`'s work.
 */
export function classify({ method, protocolVersionHeader, message }: EraInput): EraOutcome {
  if (method !== 'POST' || message === null) return LEGACY;
  const header = typeof protocolVersionHeader === 'object' ? protocolVersionHeader.join(', ') : protocolVersionHeader;
  if (message.metaProtocolVersionSpan !== null) return classifyEnvelope(message, header);
  if (header === MODERN_VERSION) return classifyByModernHeader(message);
  // A handshake names its version in the body; whatever the header says is from an earlier life.
  if (header === undefined || isLegacyVersion(header) || message.method === 'initialize') return LEGACY;
  return { refusal: unsupportedVersion(header) };
}

function classifyEnvelope(message: ScannedMessage, header: string | undefined): EraOutcome {
  const version = message.metaProtocolVersion;
  if (version === null) return { refusal: refusal('rpc.params', '_meta: io.modelcontextprotocol/protocolVersion is not a string.') };
  if (version !== MODERN_VERSION) {
    // Two versions in one request are a contradiction before either of them is one that we lack.
    const isContradicted = header !== undefined && header.trim() !== version;
    return {
      refusal: isContradicted
        ? refusal('rpc.header_mismatch', 'MCP-Protocol-Version does not match the body.')
        : unsupportedVersion(version),
    };
  }
  if (message.kind !== 'request') return MODERN;
  if (message.clientCapabilitiesSpan === null || message.wrongTypes.includes('_meta.clientCapabilities')) {
    return { refusal: refusal('rpc.params', '_meta: io.modelcontextprotocol/clientCapabilities is missing or not an object.') };
  }
  if (message.wrongTypes.includes('_meta.clientInfo')) {
    return { refusal: refusal('rpc.params', '_meta: io.modelcontextprotocol/clientInfo is not an object.') };
  }
  return MODERN;
}

function classifyByModernHeader(message: ScannedMessage): EraOutcome {
  if (message.kind === 'notification') return MODERN;
  if (message.kind === 'response') return { refusal: refusal('rpc.invalid', `Revision ${MODERN_VERSION} has no responses from clients.`) };
  const key = message.metaSpan === null ? 'params._meta' : '_meta: io.modelcontextprotocol/protocolVersion';
  return { refusal: refusal('rpc.params', `${key} is missing, but MCP-Protocol-Version names ${MODERN_VERSION}.`) };
}

/** −32022 with what we do speak. A version that we speak only with a handshake is not offered again for an envelope that named it. */
export function unsupportedVersion(requested: string): Refusal {
  const shown = requested.slice(0, ECHO_MAX);
  const supported = SUPPORTED_VERSIONS.filter((version) => version !== requested);
  return refusal('rpc.unsupported_version', null, { supported, requested: shown });
}
