import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { send } from '../load/http-message.ts';
import { modernMessage } from '../load/mcp-messages.ts';
import { untilIdle } from '../measure/until-idle.ts';
import type { Organisation } from '../organisation/organisation.ts';
import { toolName } from '../organisation/tools.ts';
import { startProgram } from '../stage/child.ts';
import type { Gateway } from '../stage/gateway.ts';
import { startNginxProxy, UPSTREAM_PATHS } from '../stage/nginx.ts';
import type { Stage } from '../stage/stage.ts';

/** A listener that is measured, and whose processor time counts. */
export type Listener = { readonly port: number; readonly pids: readonly number[] };

/** How long and how often. */
export type Pace = { readonly rounds: number; readonly seconds: number };

/** Who takes part: each is started when the first row asks for it. */
export type Cast = {
  readonly stage: Stage;
  readonly pace: Pace;
  readonly say: (line: string) => void;
  /** 1,000 servers with 50 tools each, everything on. */
  readonly everything: () => Promise<{ readonly organisation: Organisation; readonly gateway: Gateway }>;
  readonly bareProxy: () => Promise<Listener>;
  readonly nginxProxy: () => Promise<Listener>;
  readonly sdkUpstream: () => Promise<Listener>;
  readonly eventsUpstream: () => Promise<Listener>;
  /** A yardstick that sends on to a path of nginx, or to another upstream. */
  readonly proxy: (kind: 'bare-proxy' | 'streaming-proxy', upstream: Listener, path: string) => Promise<Listener>;
  /** A bare Node server whose answers are streams that say nothing. `nodeOptions`: of its Node. */
  readonly bareStreams: (nodeOptions: readonly string[]) => Promise<Listener>;
  /** A bare Node server that answers these bytes. */
  readonly readyAnswer: (bytes: Buffer) => Promise<Listener>;
};

/** Callers, and servers of each kind that are called in turn. */
export const CALLERS = 64;
const SERVERS = 1_000;
const TOOLS_PER_SERVER = 50;

/** The kinds of servers of the large organisation. */
export const KIND = { calls: 'calls', legacy: 'legacy', sdk: 'sdk', events: 'events', large: 'large', limited: 'limited' } as const;

export const ORGANISATION_SLUG = 'everything';
/** The tool of the k-th call. */
export const toolOf = (k: number): string => toolName(k % TOOLS_PER_SERVER);

export function makeCast(stage: Stage, pace: Pace, say: (line: string) => void): Cast {
  const start = async (name: string, args: readonly (string | number)[], nodeOptions: readonly string[] = []): Promise<Listener> => {
    const { pid, port } = await stage.keep(startProgram(stage.folder, name, { args, nodeOptions }));
    return { port, pids: [pid] };
  };
  const sdkUpstream = once(() => start('sdk-upstream', [toolOf(0)]));
  const eventsUpstream = once(() => start('events-upstream', []));
  let answers = 0;
  return {
    stage,
    pace,
    say,
    sdkUpstream,
    eventsUpstream,
    bareProxy: once(() => start('bare-proxy', [stage.upstream.port, UPSTREAM_PATHS.modern])),
    nginxProxy: once(() => stage.keep(startNginxProxy(stage.folder, stage.upstream.port))),
    proxy: (kind, { port }, path) => start(kind, [port, path]),
    bareStreams: (nodeOptions) => start('idle-streams', [], nodeOptions),
    readyAnswer(bytes) {
      const file = join(stage.folder, `answer-${(answers += 1)}`);
      writeFileSync(file, bytes);
      return start('ready-answer', [file]);
    },
    everything: once(async () => {
      const urls = { sdk: await sdkUpstream(), events: await eventsUpstream() };
      say(`Founding an organisation of ${SERVERS} servers with ${TOOLS_PER_SERVER} tools each`);
      const organisation = await stage.found({
        slug: ORGANISATION_SLUG,
        toolsPerServer: TOOLS_PER_SERVER,
        members: CALLERS,
        kinds: kindsOf(stage, { sdk: urls.sdk.port, events: urls.events.port }),
      });
      const gateway = await stage.gateway();
      await settle(gateway, organisation);
      return { organisation, gateway };
    }),
  };
}

function kindsOf({ upstream }: Stage, ports: { readonly sdk: number; readonly events: number }): Parameters<Stage['found']>[0]['kinds'] {
  const at = (port: number, path: string): string => `http://127.0.0.1:${port}${path}`;
  const modern = { era: 'modern', url: at(upstream.port, UPSTREAM_PATHS.modern) } as const;
  const special = [
    { ...modern, prefix: KIND.calls, count: CALLERS },
    { era: 'legacy', prefix: KIND.legacy, count: CALLERS, url: at(upstream.port, UPSTREAM_PATHS.legacy) },
    { era: 'modern', prefix: KIND.sdk, count: 1, url: at(ports.sdk, '/mcp') },
    { era: 'modern', prefix: KIND.events, count: 1, url: at(ports.events, '/mcp') },
    { era: 'modern', prefix: KIND.large, count: 1, url: at(upstream.port, UPSTREAM_PATHS.large) },
    { ...modern, prefix: KIND.limited, count: 1, callsMax: 1 },
  ] as const;
  const others = SERVERS - special.reduce((sum, { count }) => sum + count, 0);
  return [...special, { ...modern, prefix: 'other', count: others }];
}

/** Has the gateway load the organisation, and waits until all of it lies on its disk too. */
export async function settle({ pid, port }: Gateway, { members: [member], slug }: Organisation): Promise<void> {
  const answer = await send(port, modernMessage({ path: `/${slug}/mcp`, token: member?.token ?? '' }, 'server/discover'));
  if (answer.status !== 200) throw new Error(`the gateway did not load ${slug}: HTTP ${answer.status}: ${answer.text}`);
  await untilIdle(pid, 'the gateway');
}

/** The same promise for everybody who asks. */
function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | null = null;
  return () => (started ??= start());
}
