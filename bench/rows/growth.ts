import { send } from '../load/http-message.ts';
import { modernCall, modernMessage, resultText } from '../load/mcp-messages.ts';
import { residentBytes } from '../measure/cpu-time.ts';
import { measureRounds, ratioOf, type Subject } from '../measure/rounds.ts';
import type { Organisation } from '../organisation/organisation.ts';
import { fillDirectory } from '../organisation/publish.ts';
import type { Gateway } from '../stage/gateway.ts';
import { UPSTREAM_PATHS } from '../stage/nginx.ts';
import { type Cast, settle, toolOf } from './cast.ts';
import type { Group, Measured, Row } from './row.ts';

const SMALL = { slug: 'small', servers: 10, toolsPerServer: 10 };
const LARGE = { slug: 'large', servers: 1_000, toolsPerServer: 50 };
/** Of either organisation, calling in turn: as many as a gateway looks up at once for one address. */
const MEMBERS = 150;
const TOKENS = 1_000_000;
const SERVERS_CALLED = 10;
const CONNECTIONS = 16;
const BYTES_PER_MB = 1e6;

const ROWS = {
  cost: {
    name: 'growth-cost',
    work: 'a call among 1,000 servers, 50,000 tools, 1,000,000 tokens beside one among 10, 100, 150',
    budget: { text: '≤ 1.1 ×', at: 1.1, is: 'at most' },
  },
  memory: {
    name: 'growth-memory',
    work: 'resident memory of a gateway at the large end',
    budget: { text: '≤ 300 MB', at: 300, is: 'at most' },
  },
  boot: { name: 'growth-boot', work: 'boot at the large end, to the first answer', budget: { text: '≤ 5 s', at: 5, is: 'at most' } },
} as const satisfies Record<string, Row>;

/** What more servers, tools and tokens cost: the same calls on a gateway with few and on one with many. */
export const GROWTH_ROWS: Group = {
  rows: Object.values(ROWS),
  async measure(cast, wanted) {
    const large = await found(cast, LARGE);
    cast.say(`Filling the directory up to ${TOKENS} tokens`);
    await fillDirectory(large, TOKENS, cast.stage);
    const bootedAt = performance.now();
    const ofLarge = await cast.stage.gateway();
    await firstAnswer(ofLarge, large);
    const bootS = (performance.now() - bootedAt) / 1_000;
    await settle(ofLarge, large);
    const small = await found(cast, SMALL);
    const ofSmall = await cast.stage.gateway();
    await settle(ofSmall, small);
    cast.say('Measuring calls on a gateway with few and on one with many');
    const subjects = [subjectOf('few', ofSmall, small), subjectOf('many', ofLarge, large)];
    const samples = await measureRounds(subjects, { ...cast.pace, connections: CONNECTIONS, folder: cast.stage.folder });
    const ratio = ratioOf(samples, 'many', 'few');
    const [residentMb, ofFewMb] = [ofLarge, ofSmall].map(({ pid }) => residentBytes(pid) / BYTES_PER_MB);
    const all: Measured[] = [
      {
        row: ROWS.cost.name,
        figure: ratio.median,
        text: `${ratio.median.toFixed(2)} × (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`,
      },
      { row: ROWS.memory.name, figure: residentMb ?? null, text: `${residentMb?.toFixed(0)} MB; with few ${ofFewMb?.toFixed(0)} MB` },
      { row: ROWS.boot.name, figure: bootS, text: `${bootS.toFixed(1)} s` },
    ];
    return all.filter(({ row }) => wanted.has(row));
  },
};

function found({ stage }: Cast, { servers: count, slug, toolsPerServer }: typeof SMALL): Promise<Organisation> {
  const url = `http://127.0.0.1:${stage.upstream.port}${UPSTREAM_PATHS.modern}`;
  return stage.found({ slug, toolsPerServer, members: MEMBERS, kinds: [{ prefix: 'server', count, era: 'modern', url }] });
}

async function firstAnswer({ port }: Gateway, { members: [member], slug }: Organisation): Promise<void> {
  const answer = await send(port, modernMessage({ path: `/${slug}/mcp`, token: member?.token ?? '' }, 'server/discover'));
  if (answer.status !== 200) throw new Error(`the gateway answered HTTP ${answer.status}: ${answer.text}`);
}

function subjectOf(name: string, { pid, port }: Gateway, { members, slug }: Organisation): Subject {
  const messages = members.map(({ token }, k) =>
    modernCall({ token, path: `/${slug}/server-${k % SERVERS_CALLED}/mcp` }, toolOf(k % SMALL.toolsPerServer)),
  );
  return { name, port, pids: [pid], messages, accepts: ({ status, text }) => status === 200 && text === resultText('modern') };
}
