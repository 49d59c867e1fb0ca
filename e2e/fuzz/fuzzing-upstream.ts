import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, type Listening } from '@patchbay/testkit';
import { Random } from '../simulation/random.ts';
import { ALLOWED, FORBIDDEN } from './malformed-body.ts';
import { malformedAnswer } from './malformed-stream.ts';
import { readersWhoSee } from './readers.ts';

export type FuzzingUpstream = Listening & {
  /** Calls that came. */
  readonly calls: () => number;
  /** What should never have reached a server, in words. */
  readonly breaches: string[];
};

type Era = 'legacy' | 'modern';
type Request = { readonly id?: unknown; readonly method?: unknown };

const PIECE_PAUSE_MS = 1;
const BREACHES_KEPT = 20;

/**
 * A server of one era that is discovered well, and answers every call in its own wrong way. It reads what reaches it as many different
 * readers would: to none of them may it be a call of the tool that the caller may not use.
 */
export async function startFuzzingUpstream(era: Era, seed: number): Promise<FuzzingUpstream> {
  const random = new Random(seed);
  const breaches: string[] = [];
  let calls = 0;
  const listening = await listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      if (request.method !== 'POST') return void response.writeHead(request.method === 'DELETE' ? 204 : 405).end();
      const message = parsed(text);
      if (message === null) return note(breaches, `not JSON: ${text.slice(0, 300)}`);
      const readers = readersWhoSee(FORBIDDEN, text);
      if (readers.length > 0) note(breaches, `a call of the forbidden tool to a reader with ${readers[0]}: ${text.slice(0, 500)}`);
      const proper = properAnswer(era, message);
      if (proper !== null) return answerProperly(request, response, proper);
      calls += 1;
      void misbehave(response, JSON.stringify(message.id), random);
    });
  });
  return { ...listening, breaches, calls: () => calls };
}

function note(breaches: string[], breach: string): void {
  if (breaches.length < BREACHES_KEPT) breaches.push(breach);
}

function parsed(text: string): Request | null {
  try {
    return JSON.parse(text) as Request;
  } catch {
    return null;
  }
}

/** `''`: nothing but a status; null: not a message that discovery or a session needs. */
function properAnswer(era: Era, { id, method }: Request): string | null {
  if (id === undefined) return '';
  const answer = (rest: object): string => JSON.stringify({ jsonrpc: '2.0', id, ...rest });
  const capabilities = { tools: {} };
  const serverInfo = { name: 'fuzzing', version: '1' };
  switch (method) {
    case 'server/discover':
      if (era === 'legacy') return answer({ error: { code: -32601, message: 'Method not found' } });
      return answer({
        result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, ttlMs: 0, cacheScope: 'private', serverInfo },
      });
    case 'initialize':
      return answer({ result: { protocolVersion: '2025-11-25', capabilities, serverInfo } });
    case 'tools/list':
      return answer({ result: { resultType: 'complete', ttlMs: 0, cacheScope: 'private', tools: [ALLOWED, FORBIDDEN].map(toolNamed) } });
    default:
      return null;
  }
}

function toolNamed(name: string): object {
  return { name, description: name, inputSchema: { type: 'object' } };
}

function answerProperly({ headers }: IncomingMessage, response: ServerResponse, text: string): void {
  if (text === '') return void response.writeHead(202).end();
  const session = headers['mcp-protocol-version'] === '2026-07-28' ? {} : { 'mcp-session-id': 'fuzzing' };
  response.writeHead(200, { 'content-type': 'application/json', ...session }).end(text);
}

async function misbehave(response: ServerResponse, id: string, random: Random): Promise<void> {
  const { ending, headers, pieces, status } = malformedAnswer(id, random);
  response.on('error', () => undefined);
  response.writeHead(status, headers);
  response.flushHeaders();
  for (const piece of pieces) {
    response.write(piece);
    if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, PIECE_PAUSE_MS));
  }
  if (ending === 'end') response.end();
  else if (ending === 'cut') response.destroy();
}
