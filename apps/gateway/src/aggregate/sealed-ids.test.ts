import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OrganisationId, TokenId, UserId } from '@patchbay/contracts';
import { scanMessage } from '@patchbay/mcp-wire';
import { createKeyring } from '@patchbay/vault';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeListCursors } from '../methods/list-cursors.ts';
import { CallContext } from '../pipeline/context.ts';
import type { CompiledServer, ListedEntry } from '../snapshot/compiled.ts';
import { makeTaskIds } from './task-ids.ts';

const fleet = createKeyring([Buffer.alloc(32, 1)]);
const [cursors, taskIds] = [makeListCursors(fleet), makeTaskIds(fleet)];

type Where = { organisation: string; user: string; endpoint: string | null };
const where = fc.record({
  organisation: fc.constantFrom('o1', 'o2'),
  user: fc.constantFrom('u1', 'u2'),
  endpoint: fc.constantFrom('s1', 's2', 'aggregate', null),
});

function callAt({ endpoint, organisation, user }: Where, cursor = ''): CallContext {
  const ctx = new CallContext({} as IncomingMessage, {} as ServerResponse, 0);
  ctx.principal = { organisationId: organisation as OrganisationId, userId: user as UserId, tokenId: 't' as TokenId, subjects: [] };
  if (endpoint !== null) ctx.endpointServer = { id: endpoint } as CompiledServer;
  const scanned = scanMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { cursor } })));
  if (!scanned.ok) throw new Error('not a message');
  ctx.message = scanned.message;
  return ctx;
}

const entriesOf = (keys: readonly string[]): ListedEntry[] => keys.map((key) => ({ key, name: key, definition: Buffer.alloc(0) }));
// A server's id is none that anybody chooses.
const same = (a: Where, b: Where): boolean => JSON.stringify(a) === JSON.stringify(b);
const isOneId = ({ endpoint }: Where): boolean => endpoint !== 'aggregate';

test('a cursor opens where it was made, behind the same entry, and nowhere else', () => {
  const list = fc.record({
    all: fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 20 }),
    at: fc.nat(),
    more: fc.uniqueArray(fc.string(), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(where.filter(isOneId), where.filter(isOneId), list, (made, used, { all, at, more }) => {
      const end = (at % all.length) + 1;
      const cursor = cursors.seal(callAt(made), 'tools/list', { entries: entriesOf(all), end });
      const grown = [...more.filter((key) => !all.includes(key)), ...all];
      const opened = cursors.open(callAt(used, cursor), 'tools/list', entriesOf(grown));
      expect(opened).toBe(same(made, used) ? grown.indexOf(all[end - 1] ?? '') + 1 : null);
      expect(cursors.open(callAt(made, cursor), 'prompts/list', entriesOf(all))).toBeNull();
    }),
  );
});

test('a task’s id opens for its caller at its endpoint, says where it lies, and is never another’s', () => {
  const route = fc.record({ serverId: fc.uuid(), tool: fc.string(), taskId: fc.string({ unit: 'binary' }) });
  fc.assert(
    fc.property(where.filter(isOneId), where.filter(isOneId), route, (made, used, task) => {
      const sealed = taskIds.seal(callAt(made), task);
      expect(sealed).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(taskIds.open(callAt(used), sealed)).toEqual(same(made, used) ? task : null);
    }),
  );
});

test('neither is read from what nobody sealed, or in place of the other', () => {
  const ctx: Where = { organisation: 'o1', user: 'u1', endpoint: null };
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(cursors.open(callAt(ctx, text), 'tools/list', entriesOf(['a']))).toBeNull();
      expect(taskIds.open(callAt(ctx), text)).toBeNull();
    }),
  );
  const cursor = cursors.seal(callAt(ctx), 'tools/list', { entries: entriesOf(['a', 'b']), end: 1 });
  expect(taskIds.open(callAt(ctx), cursor)).toBeNull();
});
