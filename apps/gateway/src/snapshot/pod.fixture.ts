import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { PodId } from '@patchbay/contracts';
import { makeAuthenticate } from '../pipeline/authenticate.ts';
import { CallContext } from '../pipeline/context.ts';
import { makeState, type State, type StateDeps } from './make-state.ts';
import type { Fleet } from './state.fixture.ts';

/** A pod over a fleet: `home` kept across pods is a restart. */
export async function startPod(fleet: Fleet, { home, ...change }: { home?: string } & Partial<StateDeps> = {}) {
  const folder = home ?? (await mkdtemp(join(tmpdir(), 'patchbay-pod-')));
  if (home === undefined) onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const logged: { level: string; message: string }[] = [];
  const logAs = (level: string) => (_fields: object, message: string) => void logged.push({ level, message });
  const log = { info: logAs('info'), warn: logAs('warn'), error: logAs('error') };
  const pod = { id: randomUUID() as PodId, key: fleet.podKey };
  const state: State = makeState({ ...fleet.deps, folder, stalenessBudgetMs: 300_000, pod, log, listeners: [], ...change });
  await state.start();
  const authenticate = makeAuthenticate({
    snapshots: state.snapshots,
    tokens: state.tokens,
    tagKey: fleet.tagKey,
    clock: fleet.clock,
    clientAddress: ({ socket }) => socket.remoteAddress ?? '',
  });

  function contextOf(slug: string, rawHeaders: string[], address = '127.0.0.1'): CallContext {
    const request = { rawHeaders, socket: { remoteAddress: address } } as unknown as IncomingMessage;
    const ctx = new CallContext(request, {} as ServerResponse, 0);
    ctx.organisationSlug = slug;
    return ctx;
  }
  /** The code a call of this token ends with, or the context it passed with. */
  async function call(slug: string, text: string, address?: string): Promise<string | CallContext> {
    const ctx = contextOf(slug, ['Host', 'x', 'Authorization', `Bearer ${text}`], address);
    const outcome = await authenticate(ctx);
    return outcome === undefined ? ctx : typeof outcome === 'symbol' ? 'answered' : outcome.code;
  }
  return { state, home: folder, call, authenticate, contextOf, logged };
}
