import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { STDIO_HOST } from '@patchbay/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ORGANISATION, SECRET, startHost, statusOf, type TestHost } from './support/harness.ts';

const require = createRequire(import.meta.url);

/** The script that a package's only command runs. */
function commandOf(manifest: string): string {
  const { bin } = require(manifest) as { bin: Record<string, string> };
  return realpathSync(join(dirname(manifest), Object.values(bin)[0] ?? ''));
}

const EVERYTHING = commandOf(require.resolve('@modelcontextprotocol/server-everything/package.json'));
const MEMORY = commandOf(require.resolve('@modelcontextprotocol/server-memory/package.json'));

let host: TestHost;
beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

async function connect(
  serverId: string,
  client = new Client({ name: 'test', version: '1' }),
): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const transport = new StreamableHTTPClientTransport(new URL(STDIO_HOST.path(ORGANISATION, serverId), host.url), {
    requestInit: { headers: { authorization: `Bearer ${SECRET}`, [STDIO_HOST.generationHeader]: 'g1' } },
  });
  await client.connect(transport);
  return { client, transport };
}

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text ?? '';

test('the everything server, by the official client: what it has for its environment is what was configured and nothing of ours', async () => {
  process.env['PATCHBAY_TEST_SECRET_OF_OURS'] = 'must not be seen';
  const env = { CONFIGURED: 'by an operator' };
  const { client } = await connect(host.launches.add({ slug: 'everything', args: [EVERYTHING], env }));
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toContain('get-env');
  const seen = JSON.parse(textOf(await client.callTool({ name: 'get-env' }))) as Record<string, string>;
  expect(seen['CONFIGURED']).toBe('by an operator');
  expect(Object.keys(seen).filter((name) => name.startsWith('PATCHBAY') || name.startsWith('PB_') || name.startsWith('VITEST'))).toEqual(
    [],
  );
  expect((await client.listResources()).resources.length).toBeGreaterThan(0);
  expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0);
  await client.close();
});

test('progress of a long operation reaches the client that asked, with its own token', async () => {
  const { client, transport } = await connect(host.launches.add({ slug: 'everything', args: [EVERYTHING] }));
  const { tools } = await client.listTools();
  const name = tools.find((tool) => /long-?running/i.test(tool.name))?.name ?? '';
  const steps: number[] = [];
  const onprogress = ({ progress }: { progress: number }) => steps.push(progress);
  await client.callTool({ name, arguments: { duration: 0.4, steps: 4 } }, undefined, { onprogress });
  expect(steps).toEqual([1, 2, 3, 4]);
  await transport.terminateSession();
  await client.close();
});

test('sampling, elicitation and roots of the everything server reach the official client, and its answers the server', async () => {
  const asked: string[] = [];
  const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };
  const asking = new Client({ name: 'test', version: '1' }, { capabilities });
  asking.setRequestHandler(CreateMessageRequestSchema, async () => {
    asked.push('sampling');
    return { model: 'm', role: 'assistant', content: { type: 'text', text: 'sampled words' } };
  });
  asking.setRequestHandler(ElicitRequestSchema, async () => {
    asked.push('elicitation');
    return { action: 'decline' };
  });
  asking.setRequestHandler(ListRootsRequestSchema, async () => {
    asked.push('roots');
    return { roots: [{ uri: 'file:///somewhere', name: 'somewhere' }] };
  });
  const { client } = await connect(host.launches.add({ slug: 'everything', args: [EVERYTHING] }), asking);
  const sampled = await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'say', maxTokens: 10 } });
  expect(textOf(sampled)).toContain('sampled words');
  expect(textOf(await client.callTool({ name: 'trigger-elicitation-request', arguments: {} }))).toMatch(/declin/i);
  expect(textOf(await client.callTool({ name: 'get-roots-list', arguments: {} }))).toContain('file:///somewhere');
  expect(new Set(asked)).toEqual(new Set(['sampling', 'elicitation', 'roots']));
  await client.close();
});

test('the memory server, shared: two clients see one memory, kept in a file of its own directory when it is stopped', async () => {
  const serverId = crypto.randomUUID();
  const file = join(realpathSync(host.home), 'stdio', ORGANISATION, serverId, 'memory.jsonl');
  const args = [MEMORY];
  host.launches.add({ slug: 'memory', args, isolation: 'shared', env: { MEMORY_FILE_PATH: file } }, serverId);
  const [one, two] = await Promise.all([connect(serverId), connect(serverId)]);
  const entities = [{ name: 'socket', entityType: 'thing', observations: ['governed'] }];
  await one.client.callTool({ name: 'create_entities', arguments: { entities } });
  expect(textOf(await two.client.callTool({ name: 'read_graph' }))).toContain('governed');
  const running = (await statusOf(host.url)).processes.filter((process) => process.serverId === serverId);
  expect(running).toMatchObject([{ sessions: 2 }]);
  await Promise.all([one.client.close(), two.client.close()]);
});
