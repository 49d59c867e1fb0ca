import { join } from 'node:path';
import { listen, startLegacyUpstream, startModernUpstream } from '@patchbay/testkit';
import type { ScaledPlatform } from '../support/scaled/platform.ts';
import type { Execution, LimitFacts, ServerName } from './model.ts';

/** Long enough that some calls are under way whenever something dies. */
const RUN_MS = { min: 10, more: 60 };

export type Upstreams = {
  readonly executions: readonly Execution[];
  /** Registers them all, with a limit on the limited one; resolves when every gateway serves them. */
  register(platform: ScaledPlatform, limit: LimitFacts): Promise<void>;
  close(): Promise<void>;
};

/** Real servers, HTTP ones of both eras and a stdio one, that note the id of every call that they run. */
export async function startUpstreams(): Promise<Upstreams> {
  const executions: Execution[] = [];
  const run = (server: ServerName) => async (call: string) => {
    executions.push({ call, server, atMs: Date.now() });
    await new Promise((resolve) => setTimeout(resolve, RUN_MS.min + Math.random() * RUN_MS.more));
  };
  const [old, modern, limited] = await Promise.all([
    startLegacyUpstream(0, run('old')),
    startModernUpstream(0, run('new')),
    startModernUpstream(0, run('limited')),
  ]);
  const recorder = await listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void run('notes')(Buffer.concat(chunks).toString()).then(() => response.end()));
  });
  return {
    executions,
    async register(platform, limit) {
      const { api } = platform;
      await platform.register('old', old.url, { headers: { 'x-upstream-key': 'sealed' } });
      await platform.register('new', modern.url);
      await platform.register('limited', limited.url);
      await platform.api.register('toggled', modern.url, { grant: false });
      await api.expect(201, 'POST', '/servers', {
        kind: 'stdio',
        slug: 'notes',
        command: 'node',
        args: [join(import.meta.dirname, 'marking-server.mjs')],
        env: { RECORDER: recorder.url },
        egress: [new URL(recorder.url).host],
        isolation: 'shared',
      });
      await api.grantAll('notes');
      await api.discovered('notes');
      await platform.served('notes');
      await api.expect(201, 'POST', '/limits', {
        name: 'chaos',
        applies: { server: 'limited' },
        windows: [{ seconds: limit.windowMs / 1_000, max: limit.max }],
      });
    },
    close: async () => void (await Promise.all([old, modern, limited, recorder].map((each) => each.close()))),
  };
}
