import { SseParser } from '@patchbay/mcp-wire';

export type Received = {
  readonly method?: string;
  readonly id?: unknown;
  readonly params?: Record<string, unknown>;
  readonly result?: object;
};

/** An SSE answer that is read as it comes. */
export type EventStream = {
  readonly status: number;
  readonly headers: Headers;
  /** JSON-RPC messages so far. */
  readonly messages: Received[];
  readonly hasEnded: () => boolean;
  close(): void;
};

/** Begins a request and keeps what its stream says. */
export async function openEvents(url: string, init: RequestInit): Promise<EventStream> {
  const leave = new AbortController();
  const response = await fetch(url, { ...init, signal: leave.signal });
  const messages: Received[] = [];
  let ended = false;
  const parser = new SseParser();
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? [])
      for (const { data } of parser.push(Buffer.from(chunk))) if (data !== '') messages.push(JSON.parse(data) as Received);
  };
  void read()
    .catch(() => undefined)
    .finally(() => (ended = true));
  return { status: response.status, headers: response.headers, messages, hasEnded: () => ended, close: () => leave.abort() };
}
