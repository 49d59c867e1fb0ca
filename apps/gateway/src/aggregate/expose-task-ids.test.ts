import { expect, it } from 'vitest';
import type { CallContext } from '../pipeline/context.ts';
import type { Bridge } from '../upstream/bridge/bridge.ts';
import type { UpstreamTarget } from '../upstream/bridge/make-bridge.ts';
import { exposeTaskIds } from './expose-task-ids.ts';
import type { TaskIds } from './task-ids.ts';

function isVerbatim(capabilities: object): boolean {
  const ctx = { era: 'modern', message: { method: 'tools/call', taskId: null } } as unknown as CallContext;
  const target = { server: { catalogue: { era: 'modern', capabilities } }, object: { name: 't' } } as unknown as UpstreamTarget;
  const taskIds = { areSealed: () => true } as unknown as TaskIds;
  return exposeTaskIds(ctx, target, { bridge: { isVerbatim: true } as Bridge, taskIds }).isVerbatim;
}

it('leaves the answers of servers that begin no tasks as they come', () => {
  expect(isVerbatim({ tools: {}, extensions: { 'io.modelcontextprotocol/ui': {} } })).toBe(true);
  expect(isVerbatim({ tools: {} })).toBe(true);
  expect(isVerbatim({ tools: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } })).toBe(false);
});
