const MASK = '[redacted]';
const DEPTH_MAX = 6;
const ITEMS_MAX = 100;
const CAUSES_MAX = 4;

const BEARER = /pb(?:pat|api|vat)_[A-Za-z0-9_-]+/g;
const URL_PASSWORD = /(:\/\/[^\s/:@]*):[^\s/@]+@/g;
/** Controls, and formats (zero-width, bidirectional, tags), and line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const SECRET_KEY =
  /(?:^|_)(?:authorization|cookie|token|password|passwd|secret|credentials?|bearer|api_?key|private_?key|signing_?key|master_?key)$/;
/** Of these every value is masked and every name kept. */
const SECRET_MAP = new Set(['env', 'headers', 'rawheaders', 'envvalues', 'headervalues']);

/** Masks every bearer token of ours and every password in a URL, wherever they stand in a text. */
export function maskBearers(text: string): string {
  return text.replace(BEARER, MASK).replace(URL_PASSWORD, `$1:${MASK}@`);
}

/** Shows control, bidirectional, zero-width and tag characters as `\u{…}` so that no terminal or viewer obeys them. */
export function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A text as it may be logged. */
export function cleanText(text: string): string {
  return escapeUnprintable(maskBearers(text));
}

/** Fields as they may be logged: masked by key and by value, escaped, bounded in depth and length. Never throws on odd objects. */
export function cleanFields(fields: object): Record<string, unknown> {
  return clean(fields, 0) as Record<string, unknown>;
}

/** An error with its causes as it may be logged: type, code, message, detail and stack, each masked. */
export function cleanError(error: Error, depth = 0): Record<string, unknown> {
  const { code, detail } = error as { code?: unknown; detail?: unknown };
  return {
    type: cleanText(error.name),
    message: cleanText(error.message),
    ...(code === undefined ? {} : { code: clean(code, DEPTH_MAX) }),
    ...(detail === undefined ? {} : { detail: clean(detail, DEPTH_MAX) }),
    ...(typeof error.stack === 'string' ? { stack: error.stack.split('\n').map(cleanText).join('\n') } : {}),
    ...(error instanceof AggregateError ? { errors: error.errors.slice(0, CAUSES_MAX).map((each) => causeOf(each, depth)) } : {}),
    ...(error.cause === undefined ? {} : { cause: causeOf(error.cause, depth) }),
  };
}

function causeOf(cause: unknown, depth: number): unknown {
  if (depth >= CAUSES_MAX) return '[more causes]';
  return cause instanceof Error ? cleanError(cause, depth + 1) : clean(cause, depth + 1);
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? '[function]' : value;
  if (value instanceof Error) return cleanError(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEPTH_MAX) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => clean(item, depth + 1));
  if (hasToJson(value)) return clean(value.toJSON(), depth + 1);
  if (value instanceof Map) return cleanEntries([...value], depth);
  return cleanEntries(Object.entries(value), depth);
}

function cleanEntries(entries: [unknown, unknown][], depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of entries.slice(0, ITEMS_MAX)) {
    const name = String(key);
    Object.defineProperty(result, cleanText(name), {
      value: cleanNamed(name, value, depth),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return result;
}

function cleanNamed(name: string, value: unknown, depth: number): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  const snake = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
  if (SECRET_KEY.test(snake)) return MASK;
  if (SECRET_MAP.has(snake.replaceAll('_', ''))) return maskValues(value);
  return clean(value, depth + 1);
}

function maskValues(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return MASK;
  const names = value instanceof Map || value instanceof Headers ? [...value.keys()] : Object.keys(value);
  return Object.fromEntries(names.slice(0, ITEMS_MAX).map((name) => [cleanText(String(name)), MASK]));
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
