/** Decodes the string literal at `start`..`end` (quotes included) of bytes already checked; `escaped` as the walker saw it. */
export function decodeString(bytes: Buffer, start: number, end: number, escaped: boolean): string {
  return escaped ? (JSON.parse(bytes.toString('utf8', start, end)) as string) : bytes.toString('utf8', start + 1, end - 1);
}

/**
 * One form for all keys that some JSON reader might take for each other: case folded (full Unicode, both directions, so that
 * U+017F, U+212A and U+1E9E meet their plain letters) and without NUL.
 */
export function foldKey(key: string): string {
  return key.replaceAll('\0', '').toLowerCase().toUpperCase().toLowerCase();
}
