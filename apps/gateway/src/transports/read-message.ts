import type { IncomingMessage } from 'node:http';
import { type Refusal, refusal } from '@patchbay/errors';

/** The body of a POST that carries one message, up to the limit; what it says is for the pipeline to judge. */
export async function readMessage(request: IncomingMessage, bodyLimitBytes: number): Promise<Buffer | Refusal> {
  const mediaType = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') return refusal('http.media_type');
  if (Number(request.headers['content-length'] ?? 0) > bodyLimitBytes) return tooLarge(bodyLimitBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Left in the middle, the stream ends with its connection.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyLimitBytes) return tooLarge(bodyLimitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(bodyLimitBytes: number): Refusal {
  return refusal('http.body_too_large', `The limit is ${bodyLimitBytes} bytes.`);
}
