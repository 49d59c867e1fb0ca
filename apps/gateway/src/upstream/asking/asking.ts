import { type Refusal, refusal } from '@patchbay/errors';
import { exposedUri, META_KEYS, type ScannedMessage, sliceMember, isObject } from '@patchbay/mcp-wire';
import { exposeUris } from '../../aggregate/expose-uris.ts';
import type { CallContext } from '../../pipeline/context.ts';
import type { Bridge } from '../bridge/bridge.ts';
import type { UpstreamTarget } from '../bridge/make-bridge.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import { attributionAt } from './attribution.ts';
import { type Declared, lackingFor } from './declared.ts';
import { Gathering } from './gathering.ts';
import type { Hearer } from './general-stream.ts';
import type { GeneralStreams } from './general-streams.ts';
import type { HeldStreamDeps } from './held-stream.ts';
import type { HeldStreams } from './held-streams.ts';
import { leadsTo, linksOf, URL_ELICITATION_REQUIRED } from './links.ts';
import { mayAsk, SAMPLING_REFUSED } from '../sampling.ts';
import { isQuestionMethod, type Question, toQuestion } from './question.ts';
import type { Refused } from './takes-no-requests.ts';
import type { ParkedCall, RequestStates, WaitingQuestion } from './request-state.ts';

export type AskingDeps = {
  readonly states: RequestStates;
  readonly held: HeldStreams;
  readonly general: Pick<GeneralStreams, 'join'>;
  /** Of the pages that only we may send people to. */
  readonly ownOrigin: string;
};

/** A call that its server waits in, and what the client answered: responses as the server awaits them. */
export type Resumed = { readonly call: ParkedCall; readonly responses: readonly string[] };

export type AskingInput = {
  readonly ctx: CallContext;
  readonly target: UpstreamTarget;
  readonly declared: Declared;
  /** null: the call is a new one. */
  readonly resumed: Resumed | null;
};

/** Revision 2026-07-28 lets servers ask for input on these alone. */
const CAN_ASK: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
const UNKNOWN: Refused = { code: -32601, message: 'This client takes no such requests here.' };
const AGAIN_BYTES_MAX = 64 * 1024;

/** What a legacy server asks a modern client for during one call: gathered, told as an `input_required` result, answered by a later call. */
export class Asking {
  readonly declared: Declared;
  readonly resumed: Resumed | null;
  readonly #deps: AskingDeps;
  readonly #input: AskingInput;
  #gathering: Gathering | null = null;
  /** The attempt that hears what the server says outside of its calls. */
  #hearer: Hearer | null = null;
  /** What it was asked there and has not told its client. */
  #untold: Buffer[] = [];
  /** The first capability that the server needed and the client did not declare. */
  #lacking: Record<string, unknown> | null = null;

  constructor(deps: AskingDeps, input: AskingInput) {
    this.#deps = deps;
    this.#input = input;
    this.declared = input.declared;
    this.resumed = input.resumed;
  }

  /** The streams that this pod holds, for the caller's organisation. */
  get held(): HeldStreamDeps {
    const { principal } = this.#input.ctx;
    if (principal === null) throw new TypeError('a call without a principal reaches no pods');
    return { held: this.#deps.held, organisationId: principal.organisationId };
  }

  /** Runs an attempt that hears meanwhile what the server says outside of its calls. */
  async hearing<T>(upstream: Upstream, session: LocatedSession, run: () => Promise<T>): Promise<T> {
    if (this.declared.capabilities === '{}') return run();
    const hearer: Hearer = {
      ask: (bytes, message) => this.#hearer?.ask(bytes, message) ?? false,
      hear: (bytes, message) => this.#hearer?.hear(bytes, message),
    };
    const joined = this.#deps.general.join({ upstream, session, hearer });
    const leave = joined instanceof Promise ? await joined : joined;
    try {
      return await run();
    } finally {
      this.#hearer = null;
      leave(this.#untold);
    }
  }

  /** Whether this call may end with questions at all. */
  get canAsk(): boolean {
    return CAN_ASK.has(this.#input.ctx.message?.method ?? '');
  }

  /** It was asked outside of its call: another is asked instead, should it end before its client is told. */
  keepUntold(bytes: Buffer): void {
    this.#untold.push(bytes);
  }

  set hearer(hearer: Hearer) {
    this.#hearer = hearer;
  }

  get isGathering(): boolean {
    return this.#gathering !== null;
  }

  /** Takes a request of the server: what it is told at once, or null: `onQuiet` is called with all that it asked, once it is quiet. */
  take(bytes: Buffer, message: ScannedMessage, onQuiet: (questions: readonly Question[]) => void): Refused | null {
    if (!this.canAsk || !isQuestionMethod(message.method)) return UNKNOWN;
    // Whatever it was opened with: its admin may have said so since.
    const { ctx, target } = this.#input;
    if (!mayAsk(target.server.sampling, message)) return SAMPLING_REFUSED;
    const { paramsSpan } = message;
    const params: unknown = paramsSpan === null ? {} : JSON.parse(bytes.toString('utf8', paramsSpan.start, paramsSpan.end));
    const lacking = lackingFor(this.declared, message.method, params);
    if (lacking !== null) {
      this.#lacking ??= lacking;
      return { code: -32601, message: 'The client did not declare the capability that this needs.' };
    }
    if (isObject(params) && typeof params['url'] === 'string' && leadsTo(this.#deps.ownOrigin, params['url']))
      return { code: -32602, message: 'Only Patchbay points to its own pages.' };
    const question = toQuestion(bytes, message, {
      attribution: attributionAt(ctx, target.server.slug),
      capabilities: this.declared.capabilities,
    });
    if (question === null) return { code: -32602, message: 'The parameters are no object.' };
    this.#gathering ??= new Gathering((questions) => {
      this.#gathering = null;
      this.#untold = [];
      onQuiet(questions);
    });
    return this.#gathering.add(question) ? null : { code: -32600, message: 'A request with this id waits already, or too many do.' };
  }

  /** The call has ended, or its attempt: what was gathered is told to nobody. */
  stop(): void {
    this.#gathering?.stop();
    this.#gathering = null;
  }

  /** The answer of a call that is parked, for its client. */
  inputRequired(call: Omit<ParkedCall, 'questions'>, questions: readonly Question[]): Buffer {
    const waiting = questions.map(({ id, key, method, request }): WaitingQuestion => {
      return { id, key, method, request: request.length > AGAIN_BYTES_MAX ? null : request };
    });
    const { ctx, target } = this.#input;
    const requestState = this.#deps.states.mint(ctx, target, { kind: 'parked', call: { ...call, questions: waiting } });
    return inputRequired(this.#input, questions, requestState);
  }

  /** The bridge of such a call: what only it knows to be no answer, or no longer a question, is taken out of the translation's way. */
  over(bridge: Bridge): Bridge {
    return {
      ...bridge,
      answer: (bytes, message) => this.#judge(bytes, message) ?? bridge.answer(bytes, message),
      notification: (bytes, message) => {
        if (message.method === 'notifications/cancelled' && message.requestId !== null)
          this.#gathering?.withdraw(String(message.requestId));
        return bridge.notification(bytes, message);
      },
    };
  }

  /** A failure for want of a capability is one that the client can mend; links to be opened are no failure at all. */
  #judge(bytes: Buffer, message: ScannedMessage): Buffer | Refusal | null {
    if (valueAt(bytes, ['error', 'code']) === URL_ELICITATION_REQUIRED) return this.#linksRequired(bytes);
    const hasFailed = message.errorSpan !== null || valueAt(bytes, ['result', 'isError']) === true;
    return this.#lacking !== null && hasFailed ? this.#lacks(this.#lacking) : null;
  }

  #linksRequired(bytes: Buffer): Buffer | Refusal {
    const { ctx, target } = this.#input;
    const links = linksOf(bytes, { ownOrigin: this.#deps.ownOrigin, slug: target.server.slug });
    if ('code' in links) return links;
    const lacking = lackingFor(this.declared, 'elicitation/create', { mode: 'url' });
    if (lacking !== null) return this.#lacks(lacking);
    const requestState = this.#deps.states.mint(ctx, target, { kind: 'links', keys: links.map(({ key }) => key) });
    return inputRequired(this.#input, links, requestState);
  }

  #lacks(requiredCapabilities: Record<string, unknown>): Refusal {
    return refusal('rpc.capability_missing', `Server "${this.#input.target.server.slug}" needs it for this.`, { requiredCapabilities });
  }
}

type Asked = { readonly key: string; readonly request: string };

/** A whole `input_required` answer for the client of a call. */
export function inputRequired({ ctx, target }: Pick<AskingInput, 'ctx' | 'target'>, asked: readonly Asked[], requestState: string): Buffer {
  const requests = asked.map(({ key, request }) => `${JSON.stringify(key)}:${request}`).join(',');
  const meta = JSON.stringify({ [META_KEYS.serverInfo]: target.server.catalogue?.serverInfo });
  const members = `"resultType":"input_required","inputRequests":{${requests}},"requestState":"${requestState}","_meta":${meta}`;
  const answer = Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(ctx.message?.id ?? null)},"result":{${members}}}`);
  if (ctx.endpointServer !== null) return answer;
  return exposeUris(answer, { kind: 'response', method: '' }, (uri) => exposedUri(target.server.slug, uri));
}

function valueAt(bytes: Buffer, path: readonly string[]): unknown {
  const span = sliceMember(bytes, path);
  return span === null ? undefined : JSON.parse(bytes.toString('utf8', span.start, span.end));
}
