import type { Answer } from '../load/http-message.ts';
import { modernCall, resultText } from '../load/mcp-messages.ts';
import { residentBytes } from '../measure/cpu-time.ts';
import { measureRounds, type Subject } from '../measure/rounds.ts';
import { LARGE_BYTES, UPSTREAM_PATHS } from '../stage/nginx.ts';
import { callers, type SubjectMaker } from './calls.ts';
import { type Cast, KIND, type Listener, toolOf } from './cast.ts';
import { measuredRatio, ratioGroup, type RatioRow } from './ratio-rows.ts';
import type { Group } from './row.ts';

const EVENTS = 10;

const SUBJECTS: Readonly<Record<string, SubjectMaker>> = {
  events: async (cast) => eventsFrom('events', cast, await gatewayOf(cast)),
  'streaming proxy': async (cast) =>
    eventsFrom('streaming proxy', cast, await cast.proxy('streaming-proxy', await cast.eventsUpstream(), '/mcp')),
};

/** Answers on a stream: ten reports of progress, each in a piece of its own, and the result. */
export const EVENT_ROWS = ratioGroup(SUBJECTS, [
  {
    name: 'events',
    work: 'SSE response with 10 progress events',
    budget: { text: '≤ 1.4 × a bare streaming proxy', at: 1.4, is: 'at most' },
    of: 'events',
    to: 'streaming proxy',
  },
]);

const LARGE: RatioRow = {
  name: 'large',
  work: '1 MB result, streamed: throughput',
  budget: { text: '≥ 0.9 × a bare streaming proxy', at: 0.9, is: 'at least' },
  of: 'large result',
  to: 'streaming proxy of a large result',
  what: 'bytesPerSecond',
};
const LARGE_MEMORY = {
  name: 'large-memory',
  work: '1 MB result, streamed: resident memory from the first round to the last',
  budget: { text: 'flat: ≤ 1.1 ×', at: 1.1, is: 'at most' },
} as const;
const LARGE_CONNECTIONS = 4;
const BYTES_PER_MB = 1e6;

/** Large results: how fast they pass, and that nothing of them stays. */
export const LARGE_ROWS: Group = {
  rows: [LARGE, LARGE_MEMORY],
  async measure(cast, wanted) {
    const gateway = await gatewayOf(cast);
    const proxy = await cast.proxy('streaming-proxy', cast.stage.upstream, UPSTREAM_PATHS.large);
    const subjects = [await largeFrom(LARGE.of, cast, gateway), await largeFrom(LARGE.to, cast, proxy)];
    const options = { ...cast.pace, connections: LARGE_CONNECTIONS, folder: cast.stage.folder };
    cast.say('Measuring results of 1 MB');
    const resident = (): number => gateway.pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    await measureRounds(subjects, { ...options, rounds: 1 });
    const before = resident();
    const samples = await measureRounds(subjects, options);
    const after = resident();
    const text = `${(after / before).toFixed(2)} × (${(before / BYTES_PER_MB).toFixed(0)} to ${(after / BYTES_PER_MB).toFixed(0)} MB)`;
    const all = [measuredRatio(LARGE, samples), { row: LARGE_MEMORY.name, figure: after / before, text }];
    return all.filter(({ row }) => wanted.has(row));
  },
};

async function gatewayOf(cast: Cast): Promise<Listener> {
  const { gateway } = await cast.everything();
  return { port: gateway.port, pids: [gateway.pid] };
}

async function eventsFrom(name: string, cast: Cast, listener: Listener): Promise<Subject> {
  const { organisation } = await cast.everything();
  const messages = callers(organisation, KIND.events).map((caller, k) => modernCall(caller, toolOf(k), { wantsProgress: true }));
  return { name, ...listener, messages, accepts: isWholeStream };
}

function isWholeStream({ status, text }: Answer): boolean {
  const events = text.split('\n').filter((line) => line.startsWith('data: '));
  const reports = events.filter((line) => line.includes('"notifications/progress"'));
  return status === 200 && reports.length === EVENTS && events.at(-1) === `data: ${resultText('modern')}`;
}

async function largeFrom(name: string, cast: Cast, listener: Listener): Promise<Subject> {
  const { organisation } = await cast.everything();
  // A few will do: each is looked at whole, before and after.
  const messages = callers(organisation, KIND.large)
    .slice(0, 2 * LARGE_CONNECTIONS)
    .map((caller, k) => modernCall(caller, toolOf(k)));
  return { name, ...listener, messages, accepts: ({ status, text }) => status === 200 && text.length === LARGE_BYTES };
}
