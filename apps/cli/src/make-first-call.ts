import { setTimeout as sleep } from 'node:timers/promises';
import { runOnce, type OneShot } from './one-shot.ts';

export type FirstCall = { readonly what: string; readonly text: string; readonly ms: number };

export type FirstCallOptions = Omit<OneShot, 'input' | 'name'> & {
  readonly mcpUrl: string;
  readonly token: string;
  /** null: the tools are listed instead. */
  readonly tool: string | null;
  /** How long to try again while it is not answered. */
  readonly withinMs: number;
};

const AGAIN_AFTER_MS = 250;

/** One real call through the gateway by an official client. Rejects with the last attempt's StartFailure when none was answered in time. */
export async function makeFirstCall(options: FirstCallOptions): Promise<FirstCall> {
  const { mcpUrl, token, tool, withinMs, ...program } = options;
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      const output = await runOnce({ ...program, name: 'first call', input: JSON.stringify({ mcpUrl, token, tool }) });
      return { what: tool === null ? 'tools/list' : `tools/call ${tool}`, ...asResult(JSON.parse(output)) };
    } catch (error) {
      program.signal.throwIfAborted();
      if (performance.now() > deadline) throw error;
      await sleep(AGAIN_AFTER_MS);
    }
  }
}

function asResult(value: unknown): { text: string; ms: number } {
  if (typeof value === 'object' && value !== null && 'text' in value && 'ms' in value)
    return { text: String(value.text), ms: Number(value.ms) };
  throw new Error('the first call printed something else than its result');
}
