import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { z } from 'zod';

/** Handed over as one line on stdin, because it holds a token. */
const Question = z.strictObject({ mcpUrl: z.url(), token: z.string(), tool: z.string().nullable() });

const MESSAGE = 'Patchbay works';

/**
 * A program of its own, so that the official client's memory goes with it: makes one real call through the gateway (of a tool that
 * echoes, or `tools/list`) and prints what came back. Ends with a fault when there is no answer.
 */
async function main(): Promise<void> {
  const { mcpUrl, token, tool } = Question.parse(JSON.parse(await readLine()));
  const client = new Client({ name: 'patchbay-up', version: '0.1.0' }, { versionNegotiation: { mode: 'auto' } });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit: { headers } }));
  const startedAt = performance.now();
  const text = tool === null ? await countTools(client) : await callTool(client, tool);
  const ms = performance.now() - startedAt;
  await client.close();
  process.stdout.write(`${JSON.stringify({ text, ms })}\n`);
}

async function countTools(client: Client): Promise<string> {
  const { tools } = await client.listTools();
  return `${tools.length} tools`;
}

async function callTool(client: Client, name: string): Promise<string> {
  const { content, isError } = await client.callTool({ name, arguments: { message: MESSAGE } });
  const text = content.map((part) => (part.type === 'text' ? part.text : part.type)).join(' ');
  if (isError === true) throw new Error(`${name} answered with an error: ${text}`);
  return text;
}

function readLine(): Promise<string> {
  return new Promise((done, failed) => {
    let text = '';
    process.stdin.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) done(text);
    });
    process.stdin.once('end', () => {
      // Behind the first line this only says that whoever asked is gone.
      if (text.includes('\n')) process.exit(1);
      failed(new Error('no question came'));
    });
  });
}

await main();
process.exit(0);
