import { randomInt } from 'node:crypto';
import { readAll } from './bounded-body.ts';
import type { Answer, Bounds } from './exchange.ts';
import { createInternalFetch, type InternalFetch, type InternalFetchOptions } from './internal.ts';

export type InternalFleetOptions = Omit<InternalFetchOptions, 'baseUrl'> & {
  /** Programs that serve alike; at least one. */
  readonly baseUrls: readonly URL[];
  /** Which of them is asked first; one at random when left away, so that many askers spread over them. */
  readonly home?: number;
  /** Whether an answer can be understood; one that cannot is as good as none. All can when left away. */
  readonly understands?: (answer: Answer) => boolean;
};

/** What one of them said to a question that went to each; status null: it did not answer. */
export type MemberReply = {
  readonly from: URL;
  readonly status: number | null;
  readonly text: string;
  /** Why its certificate proves nothing to us, as the TLS library calls it; left away where that was not the trouble. */
  readonly distrust?: string;
};

export type InternalFleet = InternalFetch & {
  /** Asks every one of them, whether its answers are understood or not. Never rejects. */
  askEach(path: string, bounds: Bounds): Promise<readonly MemberReply[]>;
};

/** Without an answer for this long, the next one is asked as well; whichever answers first has answered. */
const ALSO_AFTER_MS = 400;
/** How long after it failed the first choice is tried again, so that askers do not gather on what was up last. */
const HOME_AGAIN_MS = 30_000;

/**
 * Asks one of several programs of ours that serve alike: the next one where one cannot be reached, fails (HTTP 5xx) or does not answer
 * soon, or not in a way that is understood. Remembers which one answered. For questions alone: one that was sent may be asked again elsewhere.
 */
export function createInternalFleet(fleetOptions: InternalFleetOptions): InternalFleet {
  const { baseUrls, home = randomInt(baseUrls.length), understands = () => true, ...options } = fleetOptions;
  const members = baseUrls.map((baseUrl) => createInternalFetch({ ...options, baseUrl }));
  let preferred = home;
  let movedAtMs = 0;

  function inOrder(): number[] {
    if (preferred !== home && performance.now() - movedAtMs >= HOME_AGAIN_MS) preferred = home;
    return members.map((_, k) => (preferred + k) % members.length);
  }

  function answered(member: number): void {
    if (member === preferred) return;
    preferred = member;
    movedAtMs = performance.now();
  }

  return {
    async request(path, init = {}, bounds = {}) {
      const question = new Question(inOrder(), bounds.timeoutMs ?? options.timeoutMs, (member, timeoutMs, ended) => {
        const signal = init.signal === undefined ? ended : AbortSignal.any([ended, init.signal]);
        const asked = fetchOf(members, member).request(path, { ...init, signal }, { ...bounds, timeoutMs });
        return asked.then((answer) => understood(answer, understands));
      });
      const { answer, member } = await question.ask();
      answered(member);
      return answer;
    },
    askEach: (path, bounds) =>
      Promise.all(baseUrls.map(async (from, k) => ({ from, ...(await replyOf(fetchOf(members, k), path, bounds)) }))),
    close: async () => {
      await Promise.all(members.map((member) => member.close()));
    },
  };
}

function fetchOf(members: readonly InternalFetch[], index: number): InternalFetch {
  const member = members[index];
  if (member === undefined) throw new RangeError('There is no such member.');
  return member;
}

async function replyOf(member: InternalFetch, path: string, bounds: Bounds): Promise<Omit<MemberReply, 'from'>> {
  try {
    const { status, body } = await member.request(path, {}, bounds);
    return { status, text: (await readAll(body)).toString('utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return { status: null, text: '', ...(DISTRUST.has(code) ? { distrust: code } : {}) };
  }
}

/** Of another authority, or for another name. One that has expired is an outage of its program: nobody set it wrongly. */
const DISTRUST: ReadonlySet<string> = new Set([
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function understood(answer: Answer, understands: (answer: Answer) => boolean): Answer {
  if (understands(answer)) return answer;
  answer.discard();
  throw new Error('Answered by a program of an incompatible version.');
}

type Send = (member: number, timeoutMs: number, ended: AbortSignal) => Promise<Answer>;
type Outcome = { readonly answer: Answer; readonly member: number };

/** One question on its way to one member after the other. */
class Question {
  readonly #order: number[];
  readonly #endsAtMs: number;
  readonly #send: Send;
  readonly #asked = new Map<number, AbortController>();
  readonly #done = Promise.withResolvers<Outcome>();
  #also: NodeJS.Timeout | undefined;
  #isDone = false;

  constructor(order: readonly number[], timeoutMs: number, send: Send) {
    this.#order = [...order];
    this.#endsAtMs = performance.now() + timeoutMs;
    this.#send = send;
  }

  ask(): Promise<Outcome> {
    this.#askNext();
    return this.#done.promise;
  }

  #askNext(): void {
    clearTimeout(this.#also);
    const member = this.#order.shift();
    if (member === undefined || this.#isDone) return;
    const ended = new AbortController();
    this.#asked.set(member, ended);
    if (this.#order.length > 0) this.#also = setTimeout(() => this.#askNext(), ALSO_AFTER_MS);
    const timeoutMs = Math.max(1, Math.ceil(this.#endsAtMs - performance.now()));
    this.#send(member, timeoutMs, ended.signal).then(
      (answer) => this.#answered(member, answer),
      (error: unknown) => this.#failed(member, () => this.#done.reject(error)),
    );
  }

  #answered(member: number, answer: Answer): void {
    if (this.#isDone) return answer.discard();
    if (answer.status < 500) return this.#finish(member, answer);
    // Its word, where nobody else has a better one.
    this.#failed(
      member,
      () => this.#finish(member, answer),
      () => answer.discard(),
    );
  }

  /** Goes on with the next member; `last` when there is no other to wait for. */
  #failed(member: number, last: () => void, otherwise: () => void = () => undefined): void {
    this.#asked.delete(member);
    if (this.#isDone) return;
    if (this.#order.length === 0 && this.#asked.size === 0) return last();
    otherwise();
    // The time that the question has is the asker's: what is left of it may be too little.
    if (performance.now() < this.#endsAtMs) this.#askNext();
    else if (this.#asked.size === 0) last();
  }

  #finish(member: number, answer: Answer): void {
    this.#isDone = true;
    clearTimeout(this.#also);
    for (const [each, ended] of this.#asked) if (each !== member) ended.abort();
    this.#done.resolve({ answer, member });
  }
}
