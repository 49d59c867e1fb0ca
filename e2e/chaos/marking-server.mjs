import { createInterface } from 'node:readline';

// A stdio server with one tool, `mark`, that tells the address in RECORDER of each of its runs before it answers. Nothing of an SDK: it starts fast.
const TOOL = {
  name: 'mark',
  description: 'Is counted',
  inputSchema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
};

async function answer({ method, params }) {
  switch (method) {
    case 'initialize':
      return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'marking', version: '1.0.0' } };
    case 'tools/list':
      return { tools: [TOOL] };
    case 'tools/call':
      await fetch(process.env.RECORDER, { method: 'POST', body: params.arguments.id });
      return { content: [{ type: 'text', text: params.arguments.id }] };
    default:
      return {};
  }
}

for await (const line of createInterface({ input: process.stdin })) void serve(JSON.parse(line));

async function serve(message) {
  if (message.id === undefined) return;
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: await answer(message) })}\n`);
}
