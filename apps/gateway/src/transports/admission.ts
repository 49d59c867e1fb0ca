import type { ServerResponse } from 'node:http';
import type { Principal } from '@patchbay/contracts';
import { readWhole } from '@patchbay/mcp-wire/channel';
import type { Caller } from './caller.ts';
import type { CallInside } from './inner-call.ts';

/** What the pipeline says of a caller before anything of it is read. */
export type Admission = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** null: may not enter. */
  readonly principal: Principal | null;
};

/** How long the first look at a token may take. */
const TIMEOUT_MS = 10_000;
const PING = Buffer.from('{"jsonrpc":"2.0","id":0,"method":"ping"}');
const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const NO_ANSWER: Admission = { status: 503, headers: { 'retry-after': '2' }, body: Buffer.alloc(0), principal: null };

/** Asks the pipeline whether this caller may use this endpoint at all: it answers `ping` itself to everyone who may. Never rejects. */
export async function admit(callInside: CallInside, caller: Caller): Promise<Admission> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const { answer, ctx } = await callInside(caller, { method: 'POST', headers: HEADERS, body: PING, signal });
    const headers = Object.entries(answer.headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    const principal = answer.status === 200 ? ctx.principal : null;
    return { status: answer.status, headers: Object.fromEntries(headers), body: await readWhole(answer), principal };
  } catch {
    return NO_ANSWER;
  }
}

/** Tells the browser of a page that was let in that the page may read the answer. */
export function passWelcome(response: ServerResponse, { headers }: Admission): void {
  for (const [name, value] of Object.entries(headers))
    if (name === 'vary' || name.startsWith('access-control-')) response.setHeader(name, value);
}

/** Answers with what the pipeline said to a caller whom it did not let in. */
export function passOn(response: ServerResponse, { body, headers, status }: Admission): void {
  response.writeHead(status, headers).end(body);
}
