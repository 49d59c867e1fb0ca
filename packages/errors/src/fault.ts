import { catalog, type ErrorCode } from './catalog.ts';

/** An expected denial: returned, never thrown. `detail` is public: what was wrong, where, and what to do. */
export type Refusal = {
  readonly code: ErrorCode;
  readonly detail: string | null;
  /** Extra members of a JSON-RPC error's `data`. */
  readonly data: Readonly<Record<string, unknown>> | null;
};

export function refusal(code: ErrorCode, detail: string | null = null, data: Readonly<Record<string, unknown>> | null = null): Refusal {
  return { code, detail, data };
}

/** The public text of a refusal: the catalogue's sentence, then what is specific. */
export function sayOf({ code, detail }: Refusal): string {
  return detail === null ? catalog[code].say : `${catalog[code].say} ${detail}`;
}

/** Something failed that should not have. `code` is public and stable; `detail` and `cause` reach logs only. */
export class Fault extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  constructor(code: ErrorCode, detail: string, cause?: unknown) {
    super(catalog[code].say, { cause });
    this.name = 'Fault';
    this.code = code;
    this.detail = detail;
  }
}
