import { type Refusal, refusal } from '@patchbay/errors';
import { sliceMember, sliceMembers } from '@patchbay/mcp-wire';

/** What a modern server needs before it can answer, of its client or of time. */
export type InputRequired = {
  readonly requests: readonly InputRequest[];
  /** JSON text, to come back as it is; null: there is none. */
  readonly requestState: string | null;
};

export type InputRequest = {
  /** Its name among the input requests of one result. */
  readonly key: string;
  readonly method: string;
  /** Its bytes as the server wrote them; null: it has none. */
  readonly params: Buffer | null;
};

/** Reads an answer whose result is `input_required`. A refusal for one that nobody could answer (a server bug). */
export function readInputRequired(answer: Buffer, slug: string): InputRequired | Refusal {
  const stateSpan = sliceMember(answer, ['result', 'requestState']);
  const requestState = stateSpan === null ? null : answer.toString('utf8', stateSpan.start, stateSpan.end);
  const requests: InputRequest[] = [];
  for (const { name, valueSpan } of sliceMembers(answer, ['result', 'inputRequests']) ?? []) {
    const bytes = answer.subarray(valueSpan.start, valueSpan.end);
    const method = sliceMember(bytes, ['method']);
    const params = sliceMember(bytes, ['params']);
    if (method === null) return broken(slug, `asks for input "${name.slice(0, 64)}" without a method`);
    requests.push({
      key: name,
      method: String(JSON.parse(bytes.toString('utf8', method.start, method.end))),
      params: params === null ? null : bytes.subarray(params.start, params.end),
    });
  }
  if (requests.length === 0 && requestState === null)
    return broken(slug, 'asks for input and says neither for which nor what to send back');
  return { requests, requestState };
}

function broken(slug: string, what: string): Refusal {
  return refusal('upstream.broken', `Server "${slug}" ${what}.`);
}
