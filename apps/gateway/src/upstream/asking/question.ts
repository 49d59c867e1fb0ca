import { memberOf, MODERN_VERSION, type ScannedMessage, sliceObject, splice, withoutMembers } from '@patchbay/mcp-wire';
import { paramsWithoutContext, SAMPLING } from '../sampling.ts';
import { attributionEdits } from './attribution.ts';

/** What a legacy server asks its client for, as an input request of revision 2026-07-28. */
export type Question = {
  /** Its name among the input requests of one result. */
  readonly key: string;
  /** The id under which the server awaits the answer, as JSON text. */
  readonly id: string;
  readonly method: QuestionMethod;
  /** JSON text of `{method, params}`. */
  readonly request: string;
};

export const QUESTION_METHODS = ['elicitation/create', 'sampling/createMessage', 'roots/list'] as const;
export type QuestionMethod = (typeof QUESTION_METHODS)[number];

/** A person is shown each of those that are asked at once. */
export const QUESTIONS_MAX = 32;

/** Parameters that belong to a request of its own: the place to complete it later, and the task that it would become. */
const OF_REQUESTS: ReadonlySet<string> = new Set(['elicitationId', 'task']);
const OF_REQUEST_META: ReadonlySet<string> = new Set(['progressToken']);

export function isQuestionMethod(method: string): method is QuestionMethod {
  return QUESTION_METHODS.some((each) => each === method);
}

export type Wording = {
  /** Said before the message of an elicitation where the endpoint does not say by itself which server asks; else null. */
  readonly attribution: string | null;
  /** What the client declared. */
  readonly capabilities: string;
};

export function toQuestion(bytes: Buffer, { id, idSpan, method, paramsSpan }: ScannedMessage, wording: Wording): Question | null {
  if (id === null || idSpan === null || !isQuestionMethod(method)) return null;
  const params = paramsSpan === null ? null : questionParams(bytes.subarray(paramsSpan.start, paramsSpan.end));
  const said = params === null ? null : worded(method, params, wording);
  return {
    key: String(id),
    id: bytes.toString('utf8', idSpan.start, idSpan.end),
    method,
    request: `{"method":"${method}"${said === null ? '' : `,"params":${said.toString('utf8')}`}}`,
  };
}

function worded(method: QuestionMethod, params: Buffer, { attribution, capabilities }: Wording): Buffer {
  if (method === SAMPLING)
    return paramsWithoutContext(params, { capabilities, protocolVersion: MODERN_VERSION, serverId: attribution === null ? '' : null });
  if (method !== 'elicitation/create' || attribution === null) return params;
  return splice(params, attributionEdits(params, ['message'], attribution));
}

function questionParams(params: Buffer): Buffer | null {
  const kept = withoutMembers(params, OF_REQUESTS);
  if (kept === null) return null;
  const object = sliceObject(kept);
  const meta = object === null ? null : memberOf(object, '_meta');
  const keptMeta = meta === null ? null : withoutMembers(kept.subarray(meta.start, meta.end), OF_REQUEST_META);
  return meta === null || keptMeta === null ? kept : splice(kept, [{ ...meta, replacement: keptMeta }]);
}
