import { describe, expect, it } from 'vitest';
import { lackingFor } from '../asking/declared.ts';
import { carriedCapabilities } from './session-capabilities.ts';

const carried = (capabilities: object, protocolVersion = '2025-11-25') =>
  carriedCapabilities({ capabilities: JSON.stringify(capabilities), protocolVersion });

describe('what a client with a session declared', () => {
  it('is never more than that, and what its revision does not know is left out (trap 13)', () => {
    expect(carried({})).toEqual({});
    expect(carried({ tasks: {}, later: {} })).toEqual({});
    const all = { sampling: { tools: {}, context: {} }, elicitation: { url: {}, form: {} }, roots: { listChanged: true } };
    expect(carried(all)).toEqual({ ...all, roots: {} });
    expect(carried(all, '2025-06-18')).toEqual({ sampling: { context: {} }, elicitation: { form: {} }, roots: {} });
    expect(carried(all, '2025-03-26')).toEqual({ sampling: { context: {} }, roots: {} });
  });
});

describe('a client', () => {
  // Guarantee: what a server has completed is paid for by the client, so it is asked only for what it said it would do.
  it.each([
    ['nothing, of one that does not sample', {}, {}, { sampling: {} }],
    ['nothing with tools, of one that samples without', { sampling: {} }, { tools: [] }, { sampling: { tools: {} } }],
    ['a completion, of one that samples', { sampling: {} }, {}, null],
    ['one with tools, of one that takes them', { sampling: { tools: {} } }, { tools: [] }, null],
  ])('is asked for %s (trap 26)', (_what, capabilities, params, lacking) => {
    expect(lackingFor({ capabilities: JSON.stringify(carried(capabilities)) }, 'sampling/createMessage', params)).toEqual(lacking);
  });
});
