import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type HttpMessage, rawBytes } from './http-message.ts';

const Replayed = z.object({
  requests: z.number(),
  durationUs: z.number(),
  bytes: z.number(),
  /** Connections that failed or ended too early, and answers that did not come. */
  broken: z.number(),
  /** Answers of HTTP 400 and above. */
  refused: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
});
/** What a run of wrk counted. */
export type Replayed = z.infer<typeof Replayed>;

export type WrkRun = { readonly port: number; readonly file: string; readonly seconds: number; readonly connections: number };

/** Writes the requests where `replay` finds them. */
export function writeRequests(file: string, port: number, messages: readonly HttpMessage[]): void {
  const pieces = messages.flatMap((message) => {
    const bytes = rawBytes(port, message);
    return [Buffer.from(`${bytes.length}\n`), bytes];
  });
  writeFileSync(file, Buffer.concat(pieces));
}

/** As many requests as the listener answers on so many connections, each sent when the one before is answered. */
export async function replay({ connections, file, port, seconds }: WrkRun): Promise<Replayed> {
  const script = join(import.meta.dirname, 'replay.lua');
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '-s', script];
  const { stdout } = await promisify(execFile)('wrk', [...options, `http://127.0.0.1:${port}/`, '--', file]);
  const said = /^replayed (.*)$/m.exec(stdout)?.[1];
  if (said === undefined) throw new Error(`wrk did not say what it counted:\n${stdout}`);
  return Replayed.parse(JSON.parse(said));
}
