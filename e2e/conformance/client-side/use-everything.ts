import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** Which revisions the client speaks: those with sessions, or 2026-07-28. */
export type ClientEra = 'legacy' | 'modern';

export type Use = {
  readonly url: string;
  readonly era: ClientEra;
  /** What the scenario has to say to its client. */
  readonly context: { readonly toolCalls?: readonly { readonly name: string; readonly arguments: Record<string, unknown> }[] };
};

const CALL_MS_MAX = 10_000;
const STANDING_STREAM_MS = 2_000;
const CAPABILITIES = { roots: {}, sampling: {}, elicitation: { form: { applyDefaults: true } } };

/** The official client, which looks at all that a server offers and uses it once. That something of it fails is for the scenario to judge. */
export async function useEverything({ context, era, url }: Use): Promise<void> {
  const client = new Client(
    { name: 'patchbay-conformance', version: '1.0.0' },
    { capabilities: CAPABILITIES, versionNegotiation: { mode: era === 'legacy' ? 'legacy' : { pin: '2026-07-28' } } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { confirmed: true } }));
  client.setRequestHandler('sampling/createMessage', () => ({ model: 'none', role: 'assistant', content: { type: 'text', text: 'x' } }));
  client.setRequestHandler('roots/list', () => ({ roots: [] }));
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  // Its standing stream opens beside, and nothing says when it stands: what a server asks there before that is lost, direct as well.
  if (era === 'legacy') await new Promise((resolve) => setTimeout(resolve, STANDING_STREAM_MS));
  try {
    await useTools(client, context.toolCalls ?? []);
    const offered = client.getServerCapabilities();
    if (offered?.resources !== undefined) await useResources(client);
    if (offered?.prompts !== undefined) await usePrompts(client);
  } finally {
    await client.close();
  }
}

async function useTools(client: Client, wanted: NonNullable<Use['context']['toolCalls']>): Promise<void> {
  const { tools } = await client.listTools();
  for (const { name, inputSchema } of tools) {
    const calls = wanted.filter((call) => call.name === name);
    const focal = tools.find((tool) => tool.name === 'json_schema_2020_12_tool');
    const args = name === 'json_schema_echo' ? { schema: focal?.inputSchema } : argumentsFor(inputSchema);
    for (const call of calls.length > 0 ? calls : [{ name, arguments: args }])
      await quietly(client.callTool(call, { timeout: CALL_MS_MAX }));
  }
}

/** Something of the right type for each property that is demanded. */
function argumentsFor({
  properties = {},
  required = [],
}: {
  properties?: object | undefined;
  required?: readonly string[] | undefined;
}): Record<string, unknown> {
  const types = properties as Record<string, { type?: string }>;
  return Object.fromEntries(required.map((name) => [name, ['number', 'integer'].includes(types[name]?.type ?? '') ? 1 : 'x']));
}

async function useResources(client: Client): Promise<void> {
  const { resources } = await client.listResources();
  for (const { uri } of resources) await quietly(client.readResource({ uri }));
}

async function usePrompts(client: Client): Promise<void> {
  const { prompts } = await client.listPrompts();
  for (const { name } of prompts) await quietly(client.getPrompt({ name }));
}

async function quietly(done: Promise<unknown>): Promise<void> {
  await done.catch(() => undefined);
}
