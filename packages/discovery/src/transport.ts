import type { Answer } from '@patchbay/egress';

export type UpstreamRequest = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

/** One request to one registered server, its address and credential already chosen. Rejects when nobody answers in time. */
export type Transport = (request: UpstreamRequest) => Promise<Answer>;
