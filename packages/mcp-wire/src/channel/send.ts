/** One HTTP request to a streamable HTTP endpoint. Names of headers in lower case. */
export type ChannelRequest = {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly signal: AbortSignal;
};

/** Its answer; the body is read to its end, or given up by ending the iteration. */
export type ChannelAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
};

/** Rejects when there is no answer, and when the request was given up. */
export type Send = (request: ChannelRequest) => Promise<ChannelAnswer>;

/** The text of a header that may stand once; null when it is absent or repeated. */
export function headerOf({ headers }: ChannelAnswer, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}
