import type { Sampling } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { sliceMember } from '@patchbay/mcp-wire';
import type { Mailboxes, OpenMailbox } from '../../mailbox/mailboxes.ts';
import type { CallContext } from '../../pipeline/context.ts';
import type { ClientSession } from '../../sessions/client-session.ts';
import type { Downstream } from '../downstream.ts';
import type { RelayEnd } from '../relay-end.ts';
import { attributionAt } from '../asking/attribution.ts';
import { fitQuestions } from './fit-questions.ts';
import type { InputRequest, InputRequired } from './input-required.ts';
import type { QuestionIds } from './question-ids.ts';
import { questionRequest } from './question-request.ts';
import type { WaitingCalls } from './waiting-calls.ts';

export type InputRoundsDeps = {
  readonly mailboxes: Pick<Mailboxes, 'open'>;
  readonly questionIds: QuestionIds;
  readonly waiting: WaitingCalls;
  /** Of the pages that only we may send people to. */
  readonly ownOrigin: string;
};

export type InputRoundsInput = {
  readonly ctx: CallContext;
  readonly session: ClientSession;
  readonly slug: string;
  readonly sampling: Sampling;
  readonly downstream: Pick<Downstream, 'isGone' | 'keepAlive' | 'sendEvent' | 'sendPosition'>;
};

/** What the next attempt carries beside the client's own parameters; JSON texts. */
export type Continuation = { readonly inputResponses: string | null; readonly requestState: string | null };

/** What came into the mailbox: the client's response to one question, as JSON text of its result or error. */
export type Answer = { readonly round: number; readonly key: string; readonly result: string | null; readonly error: string | null };

/** As often as official clients go on answering one call. */
const ROUNDS_MAX = 10;
/** For people to answer. */
const ANSWER_MS_MAX = 600_000;
/** A client that has left may come back to answer, but gets no result any more on this stream. */
const ORPHAN_MS_MAX = 60_000;
/** Clients of earlier revisions take an event without a message for a broken one. */
const POSITIONS_SINCE = '2025-11-25';
const RETRY_MS = 1_000;
/** A server that only wants to be asked again later is left alone so long, and longer each time. */
const LATER_MS = 500;
const LATER_MS_MAX = 8_000;

type Ended = 'answered' | 'late' | 'cancelled' | Refusal;

/**
 * Asks a client with a session what a modern server needs for one call: as requests on the stream that the call holds, answered on
 * any pod through the mailbox. Then the call is sent again with the answers. So many rounds, and so long a wait, as the constants say.
 */
export class InputRounds {
  readonly #deps: InputRoundsDeps;
  readonly #input: InputRoundsInput;
  readonly #waiting = new Map<string, { readonly id: string; result: string | null }>();
  #box: OpenMailbox | null = null;
  #round = 0;
  #waitedMs = 0;
  #continuation: Continuation | null = null;
  #end: ((how: Ended) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: InputRoundsDeps, input: InputRoundsInput) {
    this.#deps = deps;
    this.#input = input;
  }

  /** null: nothing was asked yet. */
  get continuation(): Continuation | null {
    return this.#continuation;
  }

  /** How long the server had nothing to do. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** Rounds and attempts, until an attempt ends in something else than a question. */
  async run(first: InputRequired, attempt: () => Promise<RelayEnd>): Promise<RelayEnd> {
    try {
      for (let required = first; ; ) {
        const startedAtMs = performance.now();
        // oxlint-disable-next-line no-await-in-loop -- each round needs what came of the one before
        const how = await this.#ask(required);
        this.#waitedMs += performance.now() - startedAtMs;
        if (how === 'cancelled') return { kind: 'cancelled' };
        if (how !== 'answered') return { kind: 'refused', refusal: how === 'late' ? this.#late() : how };
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as they came
        const end = await attempt();
        if (end.kind !== 'input-required') return end;
        required = end.required;
      }
    } finally {
      this.#box?.close();
    }
  }

  /** The client wants no answer any more. */
  cancel(): void {
    this.#end?.('cancelled');
  }

  left(): void {
    if (this.#end !== null) this.#endAfter(ORPHAN_MS_MAX);
  }

  async #ask({ requests, requestState }: InputRequired): Promise<Ended> {
    this.#round += 1;
    if (this.#round > ROUNDS_MAX)
      return refusal('upstream.unanswered', `Server "${this.#input.slug}" asked more than ${ROUNDS_MAX} times.`);
    if (requests.length === 0) {
      this.#continuation = { inputResponses: null, requestState };
      return this.#pause(Math.min(LATER_MS_MAX, LATER_MS * 2 ** (this.#round - 1)));
    }
    const { sampling, session, slug } = this.#input;
    const questions = fitQuestions(requests, { ownOrigin: this.#deps.ownOrigin, sampling, session, slug });
    if ('code' in questions) return questions;
    this.#box ??= await this.#deps.mailboxes.open(session.organisationId, (letter) => this.#take(letter));
    const how = await this.#putQuestions(questions, this.#box.address);
    const answers = [...this.#waiting].map(([key, { result }]) => `${JSON.stringify(key)}:${result}`);
    this.#continuation = { inputResponses: `{${answers.join(',')}}`, requestState };
    this.#waiting.clear();
    return how;
  }

  #putQuestions(requests: readonly InputRequest[], address: string): Promise<Ended> {
    const { ctx, downstream, session, slug } = this.#input;
    const attribution = attributionAt(ctx, slug);
    if (downstream.isGone) return Promise.resolve('cancelled');
    return new Promise((resolve) => {
      this.#begin(resolve);
      this.#endAfter(ANSWER_MS_MAX);
      downstream.keepAlive();
      if (this.#round === 1) this.#tellPosition(address);
      for (const request of requests) {
        const id = this.#deps.questionIds.mint(session, { address, round: this.#round, key: request.key });
        this.#waiting.set(request.key, { id, result: null });
        downstream.sendEvent(questionRequest(request, { id, attribution }));
      }
    });
  }

  /** Who loses the stream comes back with this, on whichever pod, and learns what became of the call. */
  #tellPosition(address: string): void {
    const { ctx, downstream, session } = this.#input;
    const callId = ctx.message?.id ?? null;
    if (callId === null || session.protocolVersion < POSITIONS_SINCE) return;
    downstream.sendPosition({ id: this.#deps.questionIds.mintPosition(session, { address, callId }), retry: RETRY_MS });
  }

  #pause(ms: number): Promise<Ended> {
    return new Promise((resolve) => {
      this.#begin(resolve);
      this.#timer = setTimeout(() => this.#end?.('answered'), ms);
    });
  }

  #begin(resolve: (how: Ended) => void): void {
    const takeOut = this.#deps.waiting.add(() => this.#end?.(refusal('upstream.call_lost', 'The gateway that held it is stopping.')));
    this.#end = (how) => {
      takeOut();
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = null;
      this.#end = null;
      resolve(how);
    };
  }

  #endAfter(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#withdraw();
      this.#end?.('late');
    }, ms);
  }

  #take(letter: string): void {
    // Letters are of this fleet: only we write them.
    const { error, key, result, round } = JSON.parse(letter) as Answer;
    const question = this.#waiting.get(key);
    if (this.#end === null || question === undefined || round !== this.#round || question.result !== null) return;
    if (result === null) {
      const message = error === null ? null : sliceMember(Buffer.from(error), ['message']);
      const said: unknown =
        message === null || error === null ? '' : JSON.parse(Buffer.from(error).toString('utf8', message.start, message.end));
      this.#end(refusal('upstream.unanswered', `Your client answered with an error: ${String(said).slice(0, 2_000)}`));
      return;
    }
    question.result = result;
    if ([...this.#waiting.values()].every((each) => each.result !== null)) this.#end('answered');
  }

  /** The user need not answer any more. */
  #withdraw(): void {
    for (const { id, result } of this.#waiting.values()) {
      if (result !== null) continue;
      const params = { requestId: id, reason: 'The request timed out.' };
      this.#input.downstream.sendEvent(Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })));
    }
  }

  #late(): Refusal {
    return refusal('upstream.unanswered', `Server "${this.#input.slug}" asked your client, which did not answer in time.`);
  }
}
