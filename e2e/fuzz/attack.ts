import { Agent, request } from 'node:http';
import { Random } from '../simulation/random.ts';
import { type Malformed, malformedBody } from './malformed-body.ts';
import { type RawTarget, sendRaw } from './raw-request.ts';

export type Attack = RawTarget & {
  readonly bodies: number;
  readonly seed: number;
  /** Told after each thousand. */
  readonly onThousand: (sent: number) => Promise<void> | void;
};

export type Outcome = {
  /** How many answers had each status; `closed`: none, the connection was. */
  readonly statuses: ReadonlyMap<string, number>;
  /** What must never come back, in words. */
  readonly breaches: readonly string[];
};

const AT_ONCE = 16;
const ANSWER_MS_MAX = 15_000;
const RAW_SHARE = 0.05;
const BREACHES_KEPT = 20;

/** `isCut`: the connection ended before the body did. */
type Answer = { readonly status: number; readonly contentType: string; readonly text: string; readonly isCut: boolean };

/** Sends that many malformed requests and looks at each answer. Never rejects for what the gateway does. */
export async function attack({ bodies, onThousand, seed, ...target }: Attack): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const statuses = new Map<string, number>();
  const breaches: string[] = [];
  let begun = 0;
  const worker = async (): Promise<void> => {
    for (let index = begun++; index < bodies; index = begun++) {
      // Each body follows from the seed and its number, whatever the order in which answers come.
      const random = new Random(seed + index * 7_919);
      const malformed = malformedBody(random);
      const { breach, status } = await sendOne({ agent, malformed, random, target });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (breach !== null && breaches.length < BREACHES_KEPT) breaches.push(`body ${index}: ${breach}\n  ${shown(malformed)}`);
      if ((index + 1) % 1_000 === 0) await onThousand(index + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  agent.destroy();
  return { statuses, breaches };
}

type One = { readonly agent: Agent; readonly malformed: Malformed; readonly random: Random; readonly target: RawTarget };

async function sendOne({ agent, malformed, random, target }: One): Promise<{ status: string; breach: string | null }> {
  try {
    if (random.chance(RAW_SHARE)) {
      const status = await sendRaw(target, malformed.body, random);
      return { status: String(status ?? 'closed'), breach: status !== null && status >= 500 && status !== 501 ? `HTTP ${status}` : null };
    }
    const answer = await post(agent, target, malformed);
    // A large answer that its server broke off is broken off here too, rather than pretended to be whole.
    if (answer.isCut && answer.status === 200) return { status: 'cut', breach: null };
    return { status: String(answer.status), breach: judge(answer) };
  } catch (error) {
    return { status: 'none', breach: String(error) };
  }
}

function post(agent: Agent, { path, port, token }: RawTarget, { body, headers }: Malformed): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      agent,
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${token}` },
    });
    sent.setTimeout(ANSWER_MS_MAX, () => sent.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({
          isCut: !response.complete,
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.end(body);
  });
}

/** Whatever was sent: an answer of HTTP that is not our failure, and JSON-RPC wherever it says it is. */
function judge({ contentType, status, text }: Answer): string | null {
  if (status >= 500) return `HTTP ${status}: ${text.slice(0, 300)}`;
  if (text.includes('"code":"internal"')) return `a fault of ours: ${text.slice(0, 300)}`;
  if (contentType.startsWith('text/event-stream')) {
    const broken = dataOf(text).find((data) => !isJsonRpc(data));
    return broken === undefined ? null : `an event that is not JSON-RPC: ${broken.slice(0, 300)}`;
  }
  if (contentType.startsWith('application/json') && !isJsonRpc(text))
    return `HTTP ${status} with what is not JSON-RPC: ${text.slice(0, 300)}`;
  return null;
}

/** The data of each event that has any: its lines together. */
function dataOf(text: string): string[] {
  return text
    .split('\n\n')
    .map((event) => event.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : [])))
    .flatMap((lines) => (lines.join('') === '' ? [] : [lines.join('\n')]));
}

function isJsonRpc(text: string): boolean {
  try {
    return (JSON.parse(text) as { jsonrpc?: unknown } | null)?.jsonrpc === '2.0';
  } catch {
    return false;
  }
}

function shown({ body, headers }: Malformed): string {
  return `${JSON.stringify(headers)} ${JSON.stringify(body.toString('latin1').slice(0, 500))}`;
}
