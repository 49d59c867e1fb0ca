import { readWhole } from '@patchbay/mcp-wire/channel';
import type { CallContext } from '../pipeline/context.ts';
import type { Caller } from './caller.ts';
import type { CallInside } from './inner-call.ts';

/** What the pipeline says of a caller before anything of it is read. */
export type Admission = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  readonly ctx: CallContext;
};

/** How long the first look at a token may take. */
const TIMEOUT_MS = 10_000;
const PING = Buffer.from('{"jsonrpc":"2.0","id":0,"method":"ping"}');
const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Asks the pipeline whether this caller may use this endpoint at all: it answers `ping` itself to everyone who may. */
export async function admit(callInside: CallInside, caller: Caller): Promise<Admission> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { answer, ctx } = await callInside(caller, { method: 'POST', headers: HEADERS, body: PING, signal });
  return { status: answer.status, headers: answer.headers, body: await readWhole(answer), ctx };
}
