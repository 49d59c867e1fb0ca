import { expect, test } from 'vitest';
import { contractHash, EntryCollector } from './entries.ts';
import { LIMITS } from './limits.ts';

const tool = (name: string, more = ''): Buffer => Buffer.from(`{"name":"${name}","inputSchema":{"type":"object"}${more}}`);

test('a contract is the same for any order of members, and another when what callers rely on changes', () => {
  const one = contractHash('tool', { name: 'a', inputSchema: { type: 'object', properties: { x: {}, y: {} } }, icons: [1] });
  expect(contractHash('tool', { icons: [2], inputSchema: { properties: { y: {}, x: {} }, type: 'object' }, name: 'a' })).toBe(one);
  expect(contractHash('tool', { name: 'a', inputSchema: { type: 'object', properties: { x: {} } } })).not.toBe(one);
  expect(contractHash('tool', { name: 'a', inputSchema: { type: 'object', properties: { x: {}, y: {} } }, description: 'd' })).not.toBe(
    one,
  );
});

test('no more entries than the limit are taken, and the rest is said', () => {
  const collector = new EntryCollector('legacy');
  for (let index = 0; index < LIMITS.entries; index += 1) expect(collector.add('tool', tool(`t${index}`))).toBe(true);
  expect(collector.add('tool', tool('late'))).toBe(false);
  expect(collector.add('prompt', Buffer.from('{"name":"another kind"}'))).toBe(true);
  expect(collector.notice()).toContain(`beyond the first ${LIMITS.entries}`);
});

test('a tool whose headers a modern client could not send is not listed', () => {
  const broken = Buffer.from('{"name":"a","inputSchema":{"type":"object","properties":{"x":{"type":"string","x-mcp-header":"no good"}}}}');
  const modern = new EntryCollector('modern');
  modern.add('tool', broken);
  expect(modern.entries).toEqual([]);
  const legacy = new EntryCollector('legacy');
  legacy.add('tool', broken);
  expect(legacy.entries).toHaveLength(1);
});
