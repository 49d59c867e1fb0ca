import { catalog, type ErrorCode, type Refusal, refusal } from '@patchbay/errors';
import { isOfOurHop } from './bridge/answers.ts';
import { refuseBroken } from './judge.ts';

export type ErrorContext = {
  readonly status: number;
  readonly slug: string;
  readonly isStdio: boolean;
  readonly isModernClient: boolean;
  /** Whether the request named an upstream session. */
  readonly hasSession: boolean;
};

/** An upstream's JSON-RPC error under an HTTP error status: its answer (`error`: JSON text), or a refusal of ours. */
export type ErrorAnswer =
  | { readonly kind: 'error'; readonly status: number; readonly error: string }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
  | { readonly kind: 'session-gone' };

/** How SDKs refuse a POST before they look at the message. */
const TRANSPORT_ERROR = -32000;
/** Many servers are built after an SDK example that says this with HTTP 400 where the transport asks for 404. */
const SESSION_UNKNOWN = /no valid session id/i;
const MESSAGE_CHARACTERS_MAX = 2_000;

/** Reads the body of a 4xx or 5xx answer. */
export function readErrorBody(bytes: Buffer, context: ErrorContext): ErrorAnswer {
  const error = parseError(bytes);
  const { hasSession, isModernClient, isStdio, slug, status } = context;
  if (error === null) return { kind: 'refusal', refusal: refuseBroken(slug, `answered HTTP ${status}`) };
  const ours = isStdio ? hostRefusal(error) : null;
  if (ours !== null) return { kind: 'refusal', refusal: ours };
  if (error.code === TRANSPORT_ERROR && hasSession && SESSION_UNKNOWN.test(error.message)) return { kind: 'session-gone' };
  // They judge our request, not the client's.
  if (isOfOurHop(error.code) || error.code === TRANSPORT_ERROR) {
    return {
      kind: 'refusal',
      refusal: refuseBroken(slug, `refused the request with HTTP ${status}: ${error.message.slice(0, MESSAGE_CHARACTERS_MAX)}`),
    };
  }
  // Statuses mean something to modern clients only; to others a non-2xx is a broken transport (architecture.md §4).
  const keepsStatus = isModernClient && (status === 400 || status === 404);
  return { kind: 'error', status: keepsStatus ? status : 200, error: JSON.stringify(error) };
}

/**
 * What our stdio host says in its own name (limit, failed start, crash) as a refusal of ours; null for an error of the server.
 * A server that imitates it gains nothing: the text is its own either way.
 */
export function readHostRefusal(bytes: Buffer): Refusal | null {
  const error = parseError(bytes);
  return error === null ? null : hostRefusal(error);
}

function hostRefusal({ data, message }: RpcError): Refusal | null {
  if (typeof data !== 'object' || data === null || !('code' in data) || typeof data.code !== 'string') return null;
  const { code } = data;
  if (!isErrorCode(code) || !/^(?:stdio|upstream)\./.test(code)) return null;
  // The refusal brings the catalogue's sentence itself.
  const { say } = catalog[code];
  const detail = message.startsWith(say) ? message.slice(say.length).trim() : message;
  return refusal(code, detail === '' ? null : detail.slice(0, MESSAGE_CHARACTERS_MAX));
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(catalog, code);
}

type RpcError = { readonly code: number; readonly message: string; readonly data?: unknown };

function parseError(bytes: Buffer): RpcError | null {
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof body !== 'object' || body === null || !('error' in body)) return null;
    const { error } = body;
    if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return null;
    if (typeof error.code !== 'number' || !Number.isInteger(error.code) || typeof error.message !== 'string') return null;
    return { code: error.code, message: error.message, ...('data' in error ? { data: error.data } : {}) };
  } catch {
    return null;
  }
}
