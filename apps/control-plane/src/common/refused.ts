import { refusal, type ErrorCode, type Refusal } from '@patchbay/errors';

export type FieldError = { readonly pointer: string; readonly detail: string };

/** Carries a refusal from a controller to the filter that answers it as a problem document; Nest has no other way out of a route. */
export class Refused extends Error {
  readonly refusal: Refusal;
  readonly fields: readonly FieldError[];
  constructor(code: ErrorCode, detail: string | null = null, fields: readonly FieldError[] = []) {
    super(code);
    this.refusal = refusal(code, detail);
    this.fields = fields;
  }
}

/** Refuses one field of the body, named by JSON Pointer. */
export function refusedField(code: ErrorCode, pointer: string, detail: string): Refused {
  return new Refused(code, null, [{ pointer, detail }]);
}
