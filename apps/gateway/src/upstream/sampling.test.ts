import { describe, expect, it } from 'vitest';
import { capabilitiesTextFor, samplingAsked, withoutContext } from './sampling.ts';

const asking = Buffer.from(
  '{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"name":{"method":"elicitation/create"},"said":{"method":"sampling/createMessage"}}}}',
);

describe('a server that may not ask for completions', () => {
  it('does not learn that its client samples, and learns all else (trap 26)', () => {
    const declared = '{"roots":{},"sampling":{"tools":{}},"extensions":{"sampling":{}}}';
    expect(capabilitiesTextFor('refused', declared)).toBe('{"roots":{},"extensions":{"sampling":{}}}');
    expect(capabilitiesTextFor('relayed', declared)).toBe(declared);
  });

  it('has its call refused when its answer asks for one all the same (trap 26)', () => {
    expect(samplingAsked('refused', asking, 's')).toMatchObject({ code: 'upstream.capability_missing' });
    expect(samplingAsked('relayed', asking, 's')).toBeNull();
    const other = Buffer.from(asking.toString().replace('sampling/createMessage', 'roots/list'));
    expect(samplingAsked('refused', other, 's')).toBeNull();
    expect(samplingAsked('refused', Buffer.from('{"result":{"content":[]}}'), 's')).toBeNull();
  });
});

describe('the context of other servers', () => {
  const bytes = Buffer.from('{"method":"sampling/createMessage","params":{"includeContext":"thisServer"},"id":1}');
  const message = { method: 'sampling/createMessage' };
  const none = '{"method":"sampling/createMessage","params":{"includeContext":"none"},"id":1}';

  it.each([
    ['of a client that gives it, at the server’s own endpoint', ['{"sampling":{"context":{}}}', '2025-11-25', 's'], bytes.toString()],
    ['of a client whose revision could not say so', ['{"sampling":{}}', '2025-06-18', 's'], bytes.toString()],
    ['not of one that did not say so', ['{"sampling":{}}', '2025-11-25', 's'], none],
    ['not where the client takes all servers for one', ['{"sampling":{"context":{}}}', '2025-11-25', null], none],
  ] as const)('is asked for: %s (trap 26)', (_whose, [capabilities, protocolVersion, serverId], expected) => {
    expect(withoutContext(bytes, message, { capabilities, protocolVersion, serverId }).toString()).toBe(expected);
  });
});
