import { readFileSync } from 'node:fs';
import { startLegacyUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StartPlatform, TestPlatform } from '../support/test-platform.ts';
import { processesOf } from '../support/processes.ts';
import { callModern, post } from '../support/raw.ts';
import { filesUnder, valuesIn } from '../support/stored.ts';

const HEADER_VALUE = 'a-header-value-that-nobody-may-keep';
const ENV_VALUE = 'an-env-value-that-nobody-may-keep';
/** Says its secret wherever it can, and never becomes an MCP server. */
const BLABBER = 'console.error("started with", process.env.THE_KEY); console.log(process.env.THE_KEY); process.exit(1)';

/** What a thief of dumps, disks, logs and process lists finds: nothing that opens anything. */
export function secrets(start: StartPlatform): void {
  let platform: TestPlatform;
  let upstream: Awaited<ReturnType<typeof startLegacyUpstream>>;
  let cookie: string;
  let sessionId: string;

  beforeAll(async () => {
    [platform, upstream] = await Promise.all([start({ PATCHBAY_LOG_LEVEL: 'debug' }), startLegacyUpstream()]);
    const { api, facts } = platform;
    await platform.register('keyed', upstream.url, { headers: { 'X-The-Key': HEADER_VALUE } });
    await api.expect(201, 'POST', '/servers', {
      kind: 'stdio',
      slug: 'blabber',
      command: 'node',
      args: ['-e', BLABBER],
      env: { THE_KEY: ENV_VALUE },
    });
    await api.expect(200, 'POST', '/servers/blabber/discover');
    await callModern(platform.mcpUrl('keyed'), facts.token, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
    const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const opened = await post(
      platform.mcpUrl('keyed'),
      facts.token,
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: initialize }),
    );
    sessionId = opened.headers.get('mcp-session-id') ?? '';
    cookie = await signIn();
  });

  afterAll(async () => {
    await Promise.all([platform.dispose(), upstream.close()]);
  });

  async function signIn(): Promise<string> {
    const { apiUrl, org, adminEmail, adminPassword } = platform.facts;
    const answer = await fetch(`${apiUrl}/api/v1/session`, {
      method: 'POST',
      headers: { origin: apiUrl, 'patchbay-request': '1', 'content-type': 'application/json' },
      body: JSON.stringify({ organisation: org, email: adminEmail, password: adminPassword }),
    });
    return /^patchbay_session=([^;]+)/.exec(String(answer.headers.get('set-cookie')))?.[1] ?? '';
  }

  /** Every secret of this run by name. */
  function secrets(): Record<string, string> {
    const { token, apiToken, adminPassword } = platform.facts;
    return { token, apiToken, adminPassword, cookie, sessionId, HEADER_VALUE, ENV_VALUE, ...platform.secrets() };
  }

  test('no secret is in a dump of the stores, on a gateway’s disk, in a log, a metric, an argv, an environment or on a piped start page', async () => {
    expect(upstream.seenHeaders.some((headers) => headers['x-the-key'] === HEADER_VALUE)).toBe(true);
    const programs = processesOf(platform.home).filter(({ command }) => /dist\/main\.js|bin\/postgres/.test(command));
    expect(programs.length).toBeGreaterThanOrEqual(5);
    const places: Record<string, string> = {
      dump: JSON.stringify([...valuesIn(await platform.dump())]),
      'gateways’ disks': platform.folders.gateways.map((folder) => filesUnder(folder).toString('latin1')).join(),
      logs: filesUnder(platform.folders.logs).toString('latin1'),
      metrics: (await Promise.all(platform.adminUrls.map(async (url) => (await fetch(`${url}/metrics`)).text()))).join(),
      ...platform.printed(),
      catalogue: JSON.stringify((await platform.api.org('GET', '/servers/blabber/catalogue')).body),
      servers: JSON.stringify((await platform.api.org('GET', '/servers')).body),
      ...Object.fromEntries(
        programs.map(({ pid, command }) => [`process ${pid} ${command}`, command + readFileSync(`/proc/${pid}/environ`, 'utf8')] as const),
      ),
    };
    expect(places['catalogue']).toContain('started with');
    const found: string[] = [];
    for (const [name, secret] of Object.entries(secrets())) {
      expect(secret.length, name).toBeGreaterThan(15);
      const bytes = Buffer.from(secret);
      for (const [place, content] of Object.entries(places)) {
        expect(content.length, place).toBeGreaterThan(50);
        if ([secret, bytes.toString('hex'), bytes.toString('base64')].some((form) => content.includes(form)))
          found.push(`${name} in ${place}`);
      }
    }
    expect(found).toEqual([]);
  });

  test('nothing that is stored opens anything, as a bearer or as a cookie', async () => {
    const { apiUrl, org } = platform.facts;
    const list = `${apiUrl}/api/v1/orgs/${org}/servers`;
    const asBearer = async (
      url: string,
      value: string,
      init: { method?: string; headers?: Record<string, string>; body?: string } = {},
    ): Promise<number> => (await fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${value}` } })).status;
    const asCookie = async (value: string): Promise<number> =>
      (await fetch(list, { headers: { cookie: `patchbay_session=${value}`, 'patchbay-request': '1' } })).status;
    const rpc = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' };
    // The right ones do, or the rest would prove nothing.
    expect(await asBearer(list, platform.facts.apiToken)).toBe(200);
    expect(await asBearer(platform.mcpUrl(), platform.facts.token, rpc)).toBe(200);
    expect(await asCookie(cookie)).toBe(200);

    const values = valuesIn([await platform.dump(), ...platform.folders.gateways.map((folder) => filesUnder(folder).toString('latin1'))]);
    expect(values.size).toBeGreaterThan(100);
    const opened: string[] = [];
    const present = async (value: string): Promise<void> => {
      const statuses = await Promise.all([asBearer(list, value), asCookie(value), asBearer(platform.mcpUrl(), value, rpc)]);
      if (statuses.some((status) => status !== 401)) opened.push(`${value}: ${statuses.join(' ')}`);
    };
    const queue = [...values];
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let value = queue.pop(); value !== undefined; value = queue.pop()) await present(value);
      }),
    );
    expect(opened).toEqual([]);
  });
}
