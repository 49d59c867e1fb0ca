import { HttpException } from '@nestjs/common';
import type { Problem } from '@patchbay/contracts';
import { catalog, Fault, refusal, sayOf, type ErrorCode, type Refusal } from '@patchbay/errors';
import { Refused, type FieldError } from './refused.ts';

/** The answer to an error, and whether it was ours and belongs into the log. */
export type Answer = { readonly problem: Problem; readonly ours: boolean };

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'api.validation',
  404: 'http.not_found',
  405: 'http.method',
  408: 'http.body_timeout',
  413: 'http.body_too_large',
  415: 'http.media_type',
  503: 'http.overloaded',
};

/** RFC 9457 document of a refusal. */
export function problemOf(refused: Refusal, fields: readonly FieldError[] = []): Problem {
  const row = catalog[refused.code];
  const problem = {
    type: `urn:patchbay:error:${refused.code}`,
    title: row.say,
    status: row.http,
    detail: sayOf(refused),
    code: refused.code,
  };
  return fields.length === 0 ? problem : { ...problem, errors: [...fields] };
}

/** Turns whatever was thrown into a problem document that tells strangers nothing of our insides. */
export function answerTo(error: unknown): Answer {
  if (error instanceof Refused) return { problem: problemOf(error.refusal, error.fields), ours: false };
  if (error instanceof Fault) return { problem: problemOf(refusal(error.code)), ours: catalog[error.code].owner === 'patchbay' };
  if (isUnavailable(error)) return { problem: problemOf(refusal('http.overloaded')), ours: true };
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
  const code = status === null ? undefined : BY_STATUS[status];
  if (code === undefined) return { problem: problemOf(refusal('internal')), ours: true };
  const fields = code === 'api.validation' ? [{ pointer: '', detail: 'is not JSON' }] : [];
  return { problem: problemOf(refusal(code), fields), ours: false };
}

function statusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return null;
  return typeof error.statusCode === 'number' ? error.statusCode : null;
}

/** The database is away or has no connection free: the caller may try again. */
function isUnavailable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return ['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'ECONNREFUSED', 'ECONNRESET', '57P01', '57P03'].includes(
    String(error.code),
  );
}
