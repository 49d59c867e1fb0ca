import { parseToken } from '@patchbay/tokens';
import { ask, type HttpAnswer } from './http-json.ts';

/** How the supervisor uses the API: as anybody with the API token does. */
export type InstallationApi = {
  /** `refused` when the API does not know this API token or organisation, or may not say. */
  tokenState(token: string): Promise<'good' | 'ending' | 'refused'>;
  /** The token itself. */
  mintToken(): Promise<string>;
  /** A server's status and why; null when there is no such server. */
  server(slug: string): Promise<{ status: string; detail: string } | null>;
};

export type ApiOptions = { readonly apiUrl: string; readonly org: string; readonly apiToken: string; readonly nowMs: () => number };

/** A token that ends sooner than this is renewed. */
const RENEW_BEFORE_MS = 3 * 24 * 3_600_000;
const PAGES_MAX = 50;
const PAGE = 100;

export function installationApi({ apiUrl, org, apiToken, nowMs }: ApiOptions): InstallationApi {
  const base = `${apiUrl}/api/v1/orgs/${encodeURIComponent(org)}`;
  const get = (path: string): Promise<HttpAnswer> => ask(`${base}${path}`, { bearer: apiToken });
  return {
    async tokenState(token) {
      const id = parseToken(token)?.id;
      for (let cursor: string | null = null, page = 0; page < PAGES_MAX; page += 1) {
        const { status, json } = await get(`/tokens?limit=${PAGE}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
        if (status !== 200) return 'refused';
        const found = listOf(json).find((item) => item['id'] === id);
        if (found !== undefined) {
          const isGood = found['revokedAt'] === null && Date.parse(String(found['expiresAt'])) - nowMs() > RENEW_BEFORE_MS;
          return isGood ? 'good' : 'ending';
        }
        cursor = cursorOf(json);
        if (cursor === null) return 'ending';
      }
      return 'ending';
    },
    async mintToken() {
      const { status, json } = await ask(`${base}/tokens`, { method: 'POST', bearer: apiToken, body: { name: 'start page' } });
      const token = fieldOf(json, 'token');
      if (status !== 201 || typeof token !== 'string') throw new Error(`minting a token was answered with ${status}`);
      return token;
    },
    async server(slug) {
      const { status, json } = await get(`/servers/${slug}`);
      if (status === 404) return null;
      return { status: textOf(fieldOf(json, 'status')), detail: textOf(fieldOf(json, 'statusDetail')) };
    },
  };
}

function listOf(json: unknown): Record<string, unknown>[] {
  const items = fieldOf(json, 'items');
  return Array.isArray(items) ? items.filter((item): item is Record<string, unknown> => typeof item === 'object' && item !== null) : [];
}

function cursorOf(json: unknown): string | null {
  const cursor = fieldOf(json, 'nextCursor');
  return typeof cursor === 'string' ? cursor : null;
}

function fieldOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null ? new Map<string, unknown>(Object.entries(json)).get(name) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
