import { memberOf, type ScannedMessage, sliceObject, isObject } from '@patchbay/mcp-wire';
import type { QuestionMethod } from './question.ts';
import type { WaitingQuestion } from './request-state.ts';

/**
 * What a client answered, as responses that the server awaits (JSON text). Null when an answer is missing or not of the form that its
 * question asks for; answers to what was not asked are ignored.
 */
export function readResponses(body: Buffer, message: ScannedMessage, questions: readonly WaitingQuestion[]): string[] | null {
  const responses: string[] = [];
  for (const { id, key, method } of questions) {
    const answer = answerTo(body, message, key);
    if (answer === null || !isAnswer(method, JSON.parse(answer))) return null;
    responses.push(`{"jsonrpc":"2.0","id":${id},"result":${answer}}`);
  }
  return responses;
}

/** Whether each of these links was opened, as far as the client says. */
export function areAccepted(body: Buffer, message: ScannedMessage, keys: readonly string[]): boolean {
  return keys.every((key) => {
    const answer = answerTo(body, message, key);
    const parsed: unknown = answer === null ? null : JSON.parse(answer);
    return isObject(parsed) && parsed['action'] === 'accept';
  });
}

function answerTo(body: Buffer, { inputResponsesSpan }: ScannedMessage, key: string): string | null {
  if (inputResponsesSpan === null) return null;
  const responses = body.subarray(inputResponsesSpan.start, inputResponsesSpan.end);
  const object = sliceObject(responses);
  const span = object === null ? null : memberOf(object, key);
  return span === null ? null : responses.toString('utf8', span.start, span.end);
}

const ACTIONS: ReadonlySet<unknown> = new Set(['accept', 'decline', 'cancel']);

function isAnswer(method: QuestionMethod, value: unknown): boolean {
  if (!isObject(value)) return false;
  switch (method) {
    case 'elicitation/create':
      return ACTIONS.has(value['action']) && (value['content'] === undefined || isObject(value['content']));
    case 'sampling/createMessage':
      return typeof value['role'] === 'string' && typeof value['model'] === 'string' && value['content'] !== undefined;
    case 'roots/list':
      return Array.isArray(value['roots']);
  }
}
