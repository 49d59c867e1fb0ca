import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  type CallToolResult,
  createMcpHandler,
  inputRequired,
  inputResponse,
  type InputRequiredResult,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { listen, type Listening } from './listen.ts';

export type ModernAskingUpstream = Listening & {
  /** Names of the tools that were called, in order, each round of each call. */
  readonly called: string[];
  /** The client that each of those calls was made for, as its `_meta` said. */
  readonly clients: { readonly capabilities: unknown; readonly info: unknown }[];
};

type Answer = CallToolResult | InputRequiredResult;
type AskingTool = (context: ServerContext) => Answer | Promise<Answer>;

const form = (message: string): ReturnType<typeof inputRequired.elicit> =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { value: { type: 'string' } }, required: ['value'] },
  });
const CHOICES = [
  { const: 'a', title: 'The A' },
  { const: 'b', title: 'The B' },
];
type Form = Parameters<typeof inputRequired.elicit>[0]['requestedSchema'];
const choice = (value: object): ReturnType<typeof inputRequired.elicit> =>
  inputRequired.elicit({ message: 'Which?', requestedSchema: { type: 'object', properties: { value } } as Form });
/** Where a gateway of a test says that clients reach it. */
const OUR_ORIGIN = 'https://patchbay.example';
const sampling = (): ReturnType<typeof inputRequired.elicit> =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: 'Say it' } }], maxTokens: 10 });
const text = (said: unknown): CallToolResult => ({
  content: [{ type: 'text', text: typeof said === 'string' ? said : JSON.stringify(said) }],
});

/** What `test_...` tools are to the conformance suite: each asks its caller in one of the ways of revision 2026-07-28. */
const TOOLS: Readonly<Record<string, AskingTool>> = {
  ask_name: ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'name');
    if (answer.kind !== 'elicit') return inputRequired({ inputRequests: { name: form('Who?') } });
    return text({ action: answer.action, content: answer.content });
  },
  ask_all: ({ mcpReq }) => {
    const [name, said] = [inputResponse(mcpReq.inputResponses, 'name'), inputResponse(mcpReq.inputResponses, 'said')];
    const roots = mcpReq.inputResponses?.['roots'];
    if (name.kind !== 'elicit' || said.kind !== 'sampling' || roots === undefined)
      return inputRequired({ inputRequests: { name: form('Who?'), said: sampling(), roots: inputRequired.listRoots() } });
    return text({ name: name.content, said: said.result.content, roots });
  },
  ask_completion: ({ mcpReq }) => {
    const said = inputResponse(mcpReq.inputResponses, 'said');
    return said.kind === 'sampling' ? text(said.result.content) : inputRequired({ inputRequests: { said: sampling() } });
  },
  progress_and_ask: async ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'name');
    const progressToken = mcpReq._meta?.progressToken;
    const steps = answer.kind === 'elicit' ? [1, 2, 3] : [1, 2];
    if (progressToken !== undefined)
      for (const progress of steps) await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress } });
    return answer.kind === 'elicit' ? text('done') : inputRequired({ inputRequests: { name: form('Who?') } });
  },
  ask_twice: ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'name');
    const state = mcpReq.requestState<string>();
    if (answer.kind !== 'elicit') return inputRequired({ inputRequests: { name: form('First?') }, requestState: 'first "of" two' });
    const value = String(answer.content?.['value']);
    if (state === 'first "of" two')
      return inputRequired({ inputRequests: { name: form('Second?') }, requestState: `second after ${value}` });
    return text(`${String(state)}, ${value}`);
  },
  ask_later: ({ mcpReq }) => (mcpReq.requestState<string>() === 'later' ? text('now') : inputRequired({ requestState: 'later' })),
  ask_page: ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'page');
    if (answer.kind !== 'elicit')
      return inputRequired({
        inputRequests: { page: inputRequired.elicitUrl({ message: 'Open it', url: 'https://example.com/connect?a=1' }) },
      });
    return text(answer.action);
  },
  ask_our_page: () =>
    inputRequired({ inputRequests: { page: inputRequired.elicitUrl({ message: 'Open it', url: `${OUR_ORIGIN}/connect` }) } }),
  ask_choice: () => inputRequired({ inputRequests: { choice: choice({ type: 'string', oneOf: CHOICES }) } }),
  ask_choices: () => inputRequired({ inputRequests: { choice: choice({ type: 'array', items: { anyOf: CHOICES } }) } }),
  ask_forever: () => inputRequired({ inputRequests: { name: form('Again?') } }),
  not_asking: () => text('fine'),
};

/** A real stateless server of revision 2026-07-28 whose tools ask their caller before they answer. */
export async function startModernAskingUpstream(): Promise<ModernAskingUpstream> {
  const called: string[] = [];
  const clients: ModernAskingUpstream['clients'][number][] = [];
  const make = (): Server => {
    const server = new Server({ name: 'asking-fixture', version: '1.0.0' }, { capabilities: { tools: {} } });
    server.setRequestHandler('tools/list', () => ({
      tools: Object.keys(TOOLS).map((name) => ({ name, description: name, inputSchema: { type: 'object' as const } })),
    }));
    server.setRequestHandler('tools/call', ({ params: { name } }, context): Answer | Promise<Answer> => {
      called.push(name);
      clients.push({ capabilities: server.getClientCapabilities(), info: server.getClientVersion() });
      return TOOLS[name]?.(context) ?? text('unknown');
    });
    return server;
  };
  const handler = toNodeHandler(createMcpHandler(make, { legacy: 'reject' }));
  // The adapter's own types disagree under exactOptionalPropertyTypes.
  const listening = await listen((request, response) => void handler(request as Parameters<typeof handler>[0], response));
  return { ...listening, called, clients };
}

/** The names of its tools. */
export const MODERN_ASKING_TOOLS: readonly string[] = Object.keys(TOOLS);
