import { type Refusal, refusal } from '@patchbay/errors';
import { olderQuestion, isObject } from '@patchbay/mcp-wire';
import type { ClientSession } from '../../sessions/client-session.ts';
import type { CompiledServer } from '../../snapshot/compiled.ts';
import { lackingFor } from '../asking/declared.ts';
import { leadsTo } from '../asking/links.ts';
import { isQuestionMethod, QUESTIONS_MAX } from '../asking/question.ts';
import { mayAsk, paramsWithoutContext, refuseSampling, SAMPLING } from '../sampling.ts';
import type { InputRequest } from './input-required.ts';
import { carriedCapabilities } from './session-capabilities.ts';

/** Whose questions, to whom; `ownOrigin`: of the pages that only we may send people to. */
export type Asker = Pick<CompiledServer, 'slug' | 'sampling'> & { readonly session: ClientSession; readonly ownOrigin: string };

/** The questions in the words of the client's revision. A refusal when it cannot be asked one of them: then it is asked none. */
export function fitQuestions(requests: readonly InputRequest[], asker: Asker): readonly InputRequest[] | Refusal {
  const { ownOrigin, sampling, session, slug } = asker;
  if (requests.length > QUESTIONS_MAX)
    return refusal('upstream.broken', `Server "${slug}" asks more than ${QUESTIONS_MAX} things at once.`);
  const { protocolVersion } = session;
  const capabilities = JSON.stringify(carriedCapabilities(session, sampling));
  const fitting: InputRequest[] = [];
  for (const { key, method, params } of requests) {
    if (!isQuestionMethod(method))
      return refusal('upstream.broken', `Server "${slug}" asks for "${method.slice(0, 64)}", which no client answers.`);
    if (!mayAsk(sampling, { method })) return refuseSampling(slug);
    const said: unknown = params === null ? {} : JSON.parse(params.toString('utf8'));
    const lacking = lackingFor({ capabilities }, method, said);
    if (lacking !== null)
      return refusal(
        'upstream.capability_missing',
        `Server "${slug}" needs ${JSON.stringify(lacking)}, which your client did not declare.`,
      );
    if (isObject(said) && typeof said['url'] === 'string' && leadsTo(ownOrigin, said['url']))
      return refusal('upstream.broken', `Server "${slug}" asks its user to open a page of Patchbay.`);
    const worded = params === null ? null : olderQuestion(method, params, protocolVersion);
    if (worded === null && params !== null)
      return refusal(
        'upstream.capability_missing',
        `Server "${slug}" asks for a form that revision ${protocolVersion}, which your client speaks, does not have.`,
      );
    fitting.push({ key, method, params: worded === null || method !== SAMPLING ? worded : paramsWithoutContext(worded, session) });
  }
  return fitting;
}
