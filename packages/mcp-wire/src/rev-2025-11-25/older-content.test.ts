import { expect, test } from 'vitest';
import { olderContent } from './older-content.ts';

const TEXT = { type: 'text', text: 'x' };
const AUDIO = { type: 'audio', mimeType: 'audio/wav', data: 'UklGRg==', annotations: { priority: 1 } };
const LINK = { type: 'resource_link', uri: 'file:///a', name: 'a', title: 'The A', description: 'first' };
const answer = (result: object): Buffer => Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
const read = (bytes: Buffer): unknown => (JSON.parse(bytes.toString()) as { result: unknown }).result;

test('audio is the same bytes as a resource where the client has no audio', () => {
  const bytes = answer({ content: [TEXT, AUDIO] });
  expect(read(olderContent(bytes, 'tools/call', '2024-11-05'))).toEqual({
    content: [
      TEXT,
      {
        type: 'resource',
        resource: { uri: 'urn:patchbay:audio:1', mimeType: 'audio/wav', blob: 'UklGRg==' },
        annotations: { priority: 1 },
      },
    ],
  });
  expect(olderContent(bytes, 'tools/call', '2025-03-26')).toBe(bytes);
});

test('a link is text that names the resource where the client has no links', () => {
  const bytes = answer({
    messages: [
      { role: 'user', content: LINK },
      { role: 'user', content: TEXT },
    ],
  });
  const text = { type: 'text', text: 'Resource file:///a (The A: first)' };
  expect(read(olderContent(bytes, 'prompts/get', '2025-03-26'))).toEqual({
    messages: [
      { role: 'user', content: text },
      { role: 'user', content: TEXT },
    ],
  });
  expect(olderContent(bytes, 'prompts/get', '2025-06-18')).toBe(bytes);
});

test('what is of no known kind, or no block at all, is not ours to judge', () => {
  const bytes = answer({ content: [{ type: 'hologram' }, 7, null, [AUDIO]] });
  expect(olderContent(bytes, 'tools/call', '2024-11-05')).toBe(bytes);
  expect(olderContent(answer({ content: 7 }), 'tools/call', '2024-11-05').toString()).toBe(answer({ content: 7 }).toString());
});
