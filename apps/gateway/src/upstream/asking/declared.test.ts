import { scanMessage } from '@patchbay/mcp-wire';
import { describe, expect, it } from 'vitest';
import { type Declared, declaredBy, lackingFor } from './declared.ts';

function declared(capabilities: object, logLevel?: string): Declared {
  const _meta = {
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...(logLevel === undefined ? {} : { 'io.modelcontextprotocol/logLevel': logLevel }),
  };
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 't', _meta } }));
  const scanned = scanMessage(body);
  if (!scanned.ok) throw new Error(scanned.refusal.code);
  const read = declaredBy(body, scanned.message, 'relayed');
  if ('code' in read) throw new Error(read.code);
  return read;
}

describe('what a client declares', () => {
  it('is one set whatever its order, and another with another member or log level', () => {
    const first = declared({ sampling: { tools: {} }, elicitation: { url: {}, form: {} } });
    expect(declared({ elicitation: { form: {}, url: {} }, sampling: { tools: {} } })).toEqual(first);
    const others = [
      declared({ sampling: {}, elicitation: { url: {}, form: {} } }),
      declared({ sampling: { tools: {} }, elicitation: { url: {}, form: {} } }, 'info'),
      declared({ sampling: { tools: {} }, elicitation: { url: {}, form: {} } }, 'debug'),
    ];
    expect(new Set([first, ...others].map(({ digest }) => digest)).size).toBe(4);
  });

  it('is nothing for a client that declares nothing that a legacy server knows', () => {
    const nothing = { capabilities: '{}', logLevel: null, digest: '' };
    expect(declared({})).toEqual(nothing);
    expect(declared({ tasks: {}, later: {} })).toEqual(nothing);
  });

  it('keeps extensions but the one for tasks, and never what changes with a session', () => {
    const extensions = { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html'] }, 'io.modelcontextprotocol/tasks': {} };
    expect(JSON.parse(declared({ extensions, roots: { listChanged: true } }).capabilities)).toEqual({
      extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html'] } },
      roots: {},
    });
  });

  it('is refused with a log level that there is not', () => {
    expect(() => declared({}, 'loud')).toThrow('rpc.params');
  });
});

describe('a question', () => {
  it.each([
    ['elicitation/create', {}, { elicitation: {} }, null],
    ['elicitation/create', {}, { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    ['elicitation/create', {}, {}, { elicitation: { form: {} } }],
    ['elicitation/create', { mode: 'url' }, { elicitation: {} }, { elicitation: { url: {} } }],
    ['elicitation/create', { mode: 'url' }, { elicitation: { url: {} } }, null],
    ['sampling/createMessage', {}, { sampling: {} }, null],
    ['sampling/createMessage', {}, {}, { sampling: {} }],
    ['sampling/createMessage', { tools: [] }, { sampling: {} }, { sampling: { tools: {} } }],
    ['roots/list', {}, {}, { roots: {} }],
    ['roots/list', {}, { roots: {} }, null],
  ])('%s with %j to a client with %j lacks %j', (method, params, capabilities, lacking) => {
    expect(lackingFor(declared(capabilities), method, params)).toEqual(lacking);
  });
});
