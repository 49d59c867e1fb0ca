import type { IncomingMessage } from 'node:http';
import { refusal, type Refusal } from '@patchbay/errors';

/** The whole body, or a refusal as soon as it is known to be over the limit. Rejects when the caller breaks off. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | Refusal> {
  const tooLarge = refusal('http.body_too_large', `At most ${bytesMax} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  // The stream must outlive this loop, or the refusal would have no connection to travel on.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) return tooLarge;
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
}
