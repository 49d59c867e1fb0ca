/** A verbatim answer up to this size is checked as a whole; a larger one streams. */
export const CHECKED_BYTES_MAX = 64 * 1024;
/** Of a whole answer, with all that comes before it. */
export const RESPONSE_BYTES_MAX = 256 * 1024 * 1024;
/** What a JSON-RPC message begins with. */
export const OPEN_OBJECT = 0x7b;

/** The first byte that says what a JSON document is; undefined when nothing but space has come. */
export function firstByte(bytes: Buffer): number | undefined {
  return bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
}

/** For the record alone, so a byte search will do: a false alarm costs a wrong label and no more. */
export function isToolError(bytes: Buffer): boolean {
  const at = bytes.indexOf('"isError"');
  return at >= 0 && /^"isError"\s*:\s*true/.test(bytes.toString('latin1', at, at + 32));
}
