import { Platform } from '../support/platform.ts';
import { pidsOf } from '../support/processes.ts';
import { callModern } from '../support/raw.ts';
import { until } from '../support/until.ts';
import { attack, type Outcome } from './attack.ts';
import { startFuzzingUpstream } from './fuzzing-upstream.ts';
import { ALLOWED } from './malformed-body.ts';

export type FuzzRequest = { readonly bodies: number; readonly seed: number; readonly say: (line: string) => void };
export type FuzzResult = {
  readonly statuses: Outcome['statuses'];
  /** Calls that were well enough to reach a server, which answered each in its own wrong way. */
  readonly answers: number;
  readonly heapMegabytes: { readonly before: number; readonly after: number };
  /** Why it does not hold; empty: it does. */
  readonly breaches: readonly string[];
};

const SERVERS = ['old', 'new'] as const;
/** Requests before the heap is measured: caches and buffers have their size by then. */
const WARM_UP = 2_000;
/** What the heap may have grown by at the end, whatever the number of bodies: less than 200 bytes for each of 100,000. */
const GROWTH_MEGABYTES_MAX = 20;
const HANDLES_MORE_MAX = 20;
const MEGABYTE = 1024 * 1024;

/**
 * Sends malformed requests to a gateway of a platform of its own, in front of servers that answer malformed. It must stay the process that
 * it was, answer everything, keep nothing, and let nothing reach a server that anybody could take for what the caller may not do.
 */
export async function runFuzz({ bodies, say, seed }: FuzzRequest): Promise<FuzzResult> {
  const upstreams = await Promise.all([startFuzzingUpstream('legacy', seed + 1), startFuzzingUpstream('modern', seed + 2)]);
  const platform = await Platform.start();
  try {
    for (const [index, slug] of SERVERS.entries()) await registerAllowed(platform, slug, upstreams[index]!.url);
    const [pid] = gatewaysOf(platform);
    const warmUp = await attackAll(platform, WARM_UP, seed, () => undefined);
    const before = await measure(platform);
    const attacked = await attackAll(platform, bodies, seed + 500_000_000, async (sent) => {
      if (sent % 10_000 === 0) say(`${sent} of ${bodies} sent, heap ${(await measure(platform)).heapMegabytes.toFixed(0)} MB`);
    });
    const after = await settled(platform, before);
    const breaches = [
      ...[warmUp, attacked].flatMap((outcome) => outcome.breaches),
      ...upstreams.flatMap((upstream) => upstream.breaches),
      ...leftOver(before, after),
      ...(gatewaysOf(platform)[0] === pid ? [] : ['the gateway is another process than at the beginning']),
    ];
    const answers = upstreams.reduce((sum, upstream) => sum + upstream.calls(), 0);
    return { statuses: attacked.statuses, answers, heapMegabytes: { before: before.heapMegabytes, after: after.heapMegabytes }, breaches };
  } finally {
    await platform.dispose();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  }
}

/** A server of whose tools the caller may use one. */
async function registerAllowed(platform: Platform, slug: string, url: string): Promise<void> {
  await platform.api.register(slug, url, { grant: false, timeouts: { requestMs: 1_000 } });
  const tools = { mode: 'names', names: [ALLOWED] };
  await platform.api.expect(201, 'POST', '/grants', { subject: { kind: 'everyone' }, server: slug, tools });
  const listed = async (): Promise<boolean> =>
    (await callModern(platform.mcpUrl(slug), platform.facts.token, 'tools/list')).json.result !== undefined;
  await until(listed, { what: `${slug} at the gateway` });
}

async function attackAll(
  platform: Platform,
  bodies: number,
  seed: number,
  onThousand: (sent: number) => Promise<void> | void,
): Promise<Outcome> {
  const each = Math.ceil(bodies / SERVERS.length);
  const outcomes = await Promise.all(
    SERVERS.map((slug, index) => {
      const path = new URL(platform.mcpUrl(slug)).pathname;
      const target = { port: platform.ports.gateway, path, token: platform.facts.token };
      return attack({
        ...target,
        bodies: each,
        seed: seed + index * 1_000_000_000,
        onThousand: (sent) => onThousand(sent * SERVERS.length),
      });
    }),
  );
  const statuses = new Map<string, number>();
  for (const outcome of outcomes) for (const [status, count] of outcome.statuses) statuses.set(status, (statuses.get(status) ?? 0) + count);
  return { statuses, breaches: outcomes.flatMap((outcome) => outcome.breaches) };
}

type Measured = { readonly heapMegabytes: number; readonly handles: number; readonly inFlight: number };

/** The smallest of several looks at the heap: what a collection leaves. */
async function measure(platform: Platform): Promise<Measured> {
  const looks: string[] = [];
  for (let look = 0; look < 5; look += 1) looks.push(await (await fetch(`${platform.adminUrls[0]}/metrics`)).text());
  const last = looks.at(-1) ?? '';
  return {
    heapMegabytes: Math.min(...looks.map((text) => gauge(text, 'nodejs_heap_size_used_bytes'))) / MEGABYTE,
    handles: gauge(last, 'nodejs_active_handles_total'),
    inFlight: gauge(last, 'patchbay_gateway_calls_in_flight'),
  };
}

function gauge(text: string, name: string): number {
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
  if (values.length === 0) throw new Error(`the gateway exports no ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}

/** Collections come when they come, and connections are kept for a while: a leak is what does not go. */
async function settled(platform: Platform, before: Measured): Promise<Measured> {
  let after = await measure(platform);
  const isOver = async (): Promise<boolean> => {
    after = await measure(platform);
    return leftOver(before, after).length === 0;
  };
  await until(isOver, { what: 'the gateway as it was', timeoutMs: 60_000 }).catch(() => undefined);
  return after;
}

function leftOver(before: Measured, after: Measured): string[] {
  const grown = after.heapMegabytes - before.heapMegabytes;
  return [
    ...(grown > GROWTH_MEGABYTES_MAX ? [`the heap has grown by ${grown.toFixed(0)} MB`] : []),
    ...(after.handles > before.handles + HANDLES_MORE_MAX ? [`${after.handles} handles are open, ${before.handles} were`] : []),
    ...(after.inFlight > 0 ? [`${after.inFlight} calls are still in flight`] : []),
  ];
}

function gatewaysOf({ home }: Platform): number[] {
  return pidsOf(home, 'apps/gateway/dist/main.js');
}
