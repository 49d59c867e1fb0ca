import { catalog } from '@patchbay/errors';
import { EgressRefused, RedirectRefused } from '@patchbay/egress';
import { escapeUnprintable } from '@patchbay/telemetry';

const TEXT_MAX = 500;

/** Why a discovery could not be finished, in words for the server's admin. Carries nothing of ours. */
export class DiscoveryFailed extends Error {}

/** Text of an upstream, fit to be shown: its control, bidi and invisible characters escaped, cut to a length. */
export function quoted(text: string): string {
  const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
  return `“${escapeUnprintable(cut)}”`;
}

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at its address.',
  ENOTFOUND: 'Its host name is not known.',
  EAI_AGAIN: 'Its host name could not be looked up.',
  ECONNRESET: 'It closed the connection.',
  UND_ERR_SOCKET: 'It closed the connection.',
  UND_ERR_CONNECT_TIMEOUT: 'It did not take the connection in time.',
  UND_ERR_HEADERS_OVERFLOW: 'Its answer has too large headers.',
  BODY_TOO_LARGE: 'Its answer is larger than a catalogue may be.',
};

/** Any error of a discovery in words. */
export function wordsFor(error: unknown): string {
  if (error instanceof DiscoveryFailed) return error.message;
  if (error instanceof EgressRefused) return catalog['upstream.egress'].say;
  if (error instanceof RedirectRefused)
    return 'The MCP server answered with a redirect, which is not followed: register the address it points to.';
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) return catalog['upstream.timeout'].say;
  const code = codeOf(error);
  if (code !== null && /^(CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code))
    return `${catalog['upstream.unreachable'].say} Its certificate is not trusted (${code}).`;
  const detail = code === null ? undefined : BY_CODE[code];
  return detail === undefined ? catalog['upstream.unreachable'].say : `${catalog['upstream.unreachable'].say} ${detail}`;
}

function codeOf(error: unknown): string | null {
  for (let cause: unknown = error, depth = 0; typeof cause === 'object' && cause !== null && depth < 5; depth += 1) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
    cause = 'cause' in cause ? cause.cause : null;
  }
  return null;
}
