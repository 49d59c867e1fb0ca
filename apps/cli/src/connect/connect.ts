import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { cleanText } from '@patchbay/telemetry/redact';
import { Channel } from '@patchbay/mcp-wire/channel';
import type { ConnectConfig } from './config.ts';
import { openEndpoint } from './endpoint.ts';
import { asLine, readLines } from './lines.ts';

export type ConnectStreams = { readonly input: Readable; readonly output: Writable; readonly problem: (text: string) => void };

/** How long a platform that is just starting is waited for. */
const PATIENCE_MS = 15_000;
/** Clients give their server two seconds to end. */
const SETTLE_MS = 1_000;
const CLOSE_MS = 700;

/** Serves one client on `input` and `output` with what the endpoint offers, until `input` ends or `stop` says so. */
export async function connect({ readToken, url }: ConnectConfig, streams: ConnectStreams, stop: AbortSignal): Promise<void> {
  const { input, output, problem } = streams;
  const endpoint = openEndpoint({ url, readToken, patienceMs: PATIENCE_MS });
  const channel = new Channel({
    send: endpoint.send,
    eras: 'both',
    requestsMax: Number.POSITIVE_INFINITY,
    requestBytesMax: Number.POSITIVE_INFINITY,
    deliver: async (message) => {
      if (!output.write(asLine(message))) await Promise.race([once(output, 'drain'), once(output, 'close')]).catch(() => undefined);
    },
    problem: (what, cause) => problem(cleanText(`patchbay connect: ${what}${cause instanceof Error ? `: ${cause.message}` : ''}`)),
  });
  const end = (): void => void input.destroy();
  // Whoever started us and reads no longer is gone.
  output.once('error', end);
  stop.addEventListener('abort', end, { once: true });
  try {
    // oxlint-disable-next-line no-await-in-loop -- the client waits while the endpoint takes nothing
    for await (const line of readLines(input)) await channel.take(line);
  } catch (error) {
    if (!input.destroyed) throw error;
  } finally {
    if (!stop.aborted && output.writable) await channel.settle(SETTLE_MS);
    await channel.close(CLOSE_MS);
    endpoint.close();
  }
}
