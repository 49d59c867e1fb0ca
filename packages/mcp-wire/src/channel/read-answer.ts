import { SseParser } from '../sse.ts';
import { type ChannelAnswer, headerOf } from './send.ts';

/** Where a stream of events stood when it ended: what it takes to go on from there. */
export type StreamEnd = {
  /** null: its events carry no ids, or it was no stream of events. */
  readonly lastEventId: string | null;
  /** What the server asked to wait before coming back. */
  readonly retryMs: number | null;
  /** Why it ended early; null where the server ended it. */
  readonly error: unknown;
};

/** Longest answer that is held in memory as one piece. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

/** Hands over each JSON-RPC message of an answer as it comes. Rejects only for what is no MCP answer; a stream that breaks says so in its end. */
export async function readAnswer(answer: ChannelAnswer, onMessage: (message: Buffer) => Promise<void>): Promise<StreamEnd> {
  if (mediaTypeOf(answer) === 'text/event-stream') return readEvents(answer, onMessage);
  const body = await readWhole(answer);
  if (body.length > 0) await onMessage(body);
  return { lastEventId: null, retryMs: null, error: null };
}

/** The fault of an answer that ended before it was one. */
export function endedEarly({ error }: StreamEnd): Error {
  return new Error(`the answer ended early${error instanceof Error ? `: ${error.message}` : ''}`, { cause: error });
}

/** The body as one piece. */
export async function readWhole({ body }: ChannelAnswer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > HELD_BYTES_MAX) throw new RangeError(`the answer is larger than ${HELD_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Reads what is left and forgets it, so that its connection can serve again. */
export async function discard(answer: ChannelAnswer): Promise<void> {
  await readWhole(answer).catch(() => undefined);
}

export function mediaTypeOf(answer: ChannelAnswer): string {
  return headerOf(answer, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

async function readEvents({ body }: ChannelAnswer, onMessage: (message: Buffer) => Promise<void>): Promise<StreamEnd> {
  const parser = new SseParser(HELD_BYTES_MAX);
  let lastEventId: string | null = null;
  let retryMs: number | null = null;
  try {
    for await (const chunk of body) {
      for (const { event, data, id, retry } of parser.push(Buffer.from(chunk))) {
        lastEventId = id ?? lastEventId;
        retryMs = retry ?? retryMs;
        if (event === 'message' && data !== '') await onMessage(Buffer.from(data));
      }
    }
    return { lastEventId, retryMs, error: null };
  } catch (error) {
    return { lastEventId, retryMs, error };
  }
}
