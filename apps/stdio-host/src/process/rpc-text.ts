import { catalog, sayOf, type Refusal } from '@patchbay/errors';
import type { MessageId } from '@patchbay/mcp-wire';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/**
 * One message as one line. JSON has raw CR and LF between tokens only, so a space in their place changes no value and no
 * offset. The bytes must have been scanned; they are returned as they are when there is nothing to do.
 */
export function toOneLine(bytes: Buffer): Buffer {
  if (!bytes.includes(LF) && !bytes.includes(CR)) return bytes;
  const line = Buffer.from(bytes);
  for (let at = 0; at < line.length; at += 1) if (line[at] === LF || line[at] === CR) line[at] = SPACE;
  return line;
}

/** An id or progress token as a map key that keeps "1" and 1 apart. */
export function keyOf(id: MessageId): string {
  return typeof id === 'string' ? `s${id}` : `n${id}`;
}

/** A JSON-RPC error; `idText` is the id as the caller wrote it, or `null`. */
export function errorText(idText: Buffer | string, refused: Refusal): Buffer {
  const { rpc } = catalog[refused.code];
  const data = { code: refused.code, ...refused.data };
  return Buffer.from(`{"jsonrpc":"2.0","id":${idText.toString()},"error":${JSON.stringify({ code: rpc, message: sayOf(refused), data })}}`);
}

/** A JSON-RPC result whose `result` is passed on as the bytes it came in. */
export function resultText(idText: Buffer | string, result: Buffer | string): Buffer {
  return Buffer.from(`{"jsonrpc":"2.0","id":${idText.toString()},"result":${result.toString()}}`);
}
