import { StandardSchemaValidationPipe } from '@nestjs/common';
import { Refused, type FieldError } from './refused.ts';

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  /** Zod's issue for unknown fields stands on their parent and names them here. */
  readonly keys?: readonly string[];
};

const FIELDS_MAX = 50;

/** Checks what a route declares with `@Body({ schema })`, and answers with a pointer to each field that is wrong. */
export function validationPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({
    exceptionFactory: (issues: readonly Issue[]) => new Refused('api.validation', null, issues.flatMap(fieldErrors).slice(0, FIELDS_MAX)),
  });
}

function fieldErrors({ message, path = [], keys }: Issue): FieldError[] {
  const names = path.map((segment) => (typeof segment === 'object' ? segment.key : segment));
  if (keys !== undefined && keys.length > 0 && message.startsWith('Unrecognized')) {
    return keys.map((key) => ({ pointer: pointerOf([...names, key]), detail: 'is not a field of this request' }));
  }
  return [{ pointer: pointerOf(names), detail: message }];
}

/** RFC 6901. */
function pointerOf(names: readonly PropertyKey[]): string {
  return names.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
