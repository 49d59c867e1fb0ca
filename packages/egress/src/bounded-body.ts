/** The answer is larger than was allowed. */
export class BodyTooLarge extends Error {
  readonly code = 'BODY_TOO_LARGE';
  readonly maxBytes: number;

  constructor(maxBytes: number) {
    super(`The answer is larger than ${maxBytes} bytes.`);
    this.name = 'BodyTooLarge';
    this.maxBytes = maxBytes;
  }
}

/** The same bytes, until there would be more than `maxBytes`: then the iteration throws BodyTooLarge, which ends the source. */
export async function* boundedBody(source: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let seen = 0;
  for await (const chunk of source) {
    seen += chunk.byteLength;
    if (seen > maxBytes) throw new BodyTooLarge(maxBytes);
    yield chunk;
  }
}

/** All of a body in one buffer. */
export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
