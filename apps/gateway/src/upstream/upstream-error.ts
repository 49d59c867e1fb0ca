import { catalog, type ErrorCode, type Refusal, refusal } from '@patchbay/errors';
import { legacyErrorCode, modernErrorCode } from '@patchbay/mcp-wire';
import { isOfOurHop } from './bridge/answers.ts';
import { refuseBroken } from './judge.ts';

export type ErrorContext = {
  readonly status: number;
  readonly slug: string;
  readonly isStdio: boolean;
  readonly isModernClient: boolean;
  readonly method: string;
};

/** An upstream's JSON-RPC error under an HTTP error status: relayed as the answer, or turned into a refusal of ours. */
export type ErrorAnswer =
  | { readonly kind: 'error'; readonly status: number; readonly error: string }
  | { readonly kind: 'refusal'; readonly refusal: Refusal };

const MESSAGE_CHARACTERS_MAX = 2_000;

/** Reads the body of a 4xx or 5xx answer. */
export function readErrorBody(bytes: Buffer, context: ErrorContext): ErrorAnswer {
  const error = parseError(bytes);
  const { isModernClient, isStdio, method, slug, status } = context;
  if (error === null) return { kind: 'refusal', refusal: refuseBroken(slug, `answered HTTP ${status}`) };
  const ours = isStdio ? hostRefusal(error) : null;
  if (ours !== null) return { kind: 'refusal', refusal: ours };
  // −32000 is how SDKs refuse a POST before they look at the message: it judges our request, like the codes of our hop.
  if (isOfOurHop(error.code) || error.code === -32000) {
    return { kind: 'refusal', refusal: refuseBroken(slug, `refused the request with HTTP ${status}: ${error.message.slice(0, MESSAGE_CHARACTERS_MAX)}`) };
  }
  const code = isModernClient ? modernErrorCode(error.code) : legacyErrorCode(method, error.code);
  // Statuses mean something to modern clients only; to others a non-2xx is a broken transport (architecture.md §4).
  const keepsStatus = isModernClient && (status === 400 || status === 404);
  const body = JSON.stringify({ code, message: error.message, ...(error.data === undefined ? {} : { data: error.data }) });
  return { kind: 'error', status: keepsStatus ? status : 200, error: body };
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
