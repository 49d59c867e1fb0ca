const LF = 0x0a;
const CR = 0x0d;

/** Larger than any message that an endpoint takes. */
const LINE_BYTES_MAX = 256 * 1024 * 1024;

/** The lines of a stream as they become whole, without their ends; empty ones are left out. Throws when one has no end in sight. */
export async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let rest = Buffer.from(chunk);
    for (let end = rest.indexOf(LF); end !== -1; end = rest.indexOf(LF)) {
      const line = trimmed(Buffer.concat([...pieces, rest.subarray(0, end)]));
      if (line.length > 0) yield line;
      rest = rest.subarray(end + 1);
      [pieces, bytes] = [[], 0];
    }
    bytes += rest.length;
    if (bytes > LINE_BYTES_MAX) throw new RangeError(`a message is larger than ${LINE_BYTES_MAX} bytes`);
    if (rest.length > 0) pieces.push(rest);
  }
  const last = trimmed(Buffer.concat(pieces));
  if (last.length > 0) yield last;
}

/** One message as one line: in JSON a line end can only stand between tokens, where a space means the same. */
export function asLine(message: Buffer): Buffer {
  const line = Buffer.concat([message, Buffer.from('\n')]);
  for (let index = 0; index < message.length; index += 1) if (line[index] === LF || line[index] === CR) line[index] = 0x20;
  return line;
}

function trimmed(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}
