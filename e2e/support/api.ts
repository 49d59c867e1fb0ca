import { until } from './until.ts';

export type Answer = { status: number; body: Record<string, never> & { [key: string]: unknown }; headers: Headers };

/** A plain HTTP client of the control plane's API. */
export class Api {
  readonly baseUrl: string;
  readonly organisation: string;
  readonly #token: string;
  constructor(baseUrl: string, organisation: string, token: string) {
    this.baseUrl = baseUrl;
    this.organisation = organisation;
    this.#token = token;
  }

  as(organisation: string): Api {
    return new Api(this.baseUrl, organisation, this.#token);
  }

  async call(method: string, path: string, body?: unknown, signal: AbortSignal | null = null): Promise<Answer> {
    const response = await fetch(`${this.baseUrl}${path}`, {
      method,
      signal,
      headers: { authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  }

  org(method: string, path: string, body?: unknown, signal: AbortSignal | null = null): Promise<Answer> {
    return this.call(method, `/api/v1/orgs/${this.organisation}${path}`, body, signal);
  }

  /** Fails the test unless the status is one of those expected. */
  async expect(status: number, method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await this.org(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Registers a streamable-HTTP server and waits for its discovery; with a grant for everyone unless told otherwise. */
  async register(slug: string, url: string, { grant = true, ...more }: Record<string, unknown> & { grant?: boolean } = {}): Promise<void> {
    await this.expect(201, 'POST', '/servers', { kind: 'streamable-http', slug, url, ...more });
    if (grant) await this.grantAll(slug);
    await this.discovered(slug);
  }

  async grantAll(server: string): Promise<string> {
    const grant = await this.expect(201, 'POST', '/grants', { subject: { kind: 'everyone' }, server, tools: { mode: 'all' } });
    return String(grant['id']);
  }

  async discovered(slug: string): Promise<void> {
    await until(async () => (await this.org('GET', `/servers/${slug}`)).body['status'] === 'ready', {
      what: `discovery of ${slug}`,
      timeoutMs: 20_000,
    });
  }
}
