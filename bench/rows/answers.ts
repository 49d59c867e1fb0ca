import { type Answer, type HttpMessage, send } from '../load/http-message.ts';
import { type Caller, legacyInitialize, modernMessage } from '../load/mcp-messages.ts';
import type { Subject } from '../measure/rounds.ts';
import type { SubjectMaker } from './calls.ts';
import { type Cast, ORGANISATION_SLUG } from './cast.ts';
import { ratioGroup } from './ratio-rows.ts';

const TEAM = { slug: 'team', servers: 20, toolsPerServer: 10, members: 8 };

/** What is answered from memory: the gateway, and beside it a server that answers the same bytes from a buffer. */
const ASKED: Readonly<Record<string, (cast: Cast) => Promise<readonly HttpMessage[]>>> = {
  'tools/list': async (cast) => (await teamCallers(cast)).map((caller) => modernMessage(caller, 'tools/list')),
  'server/discover': async (cast) => (await everythingCallers(cast)).map((caller) => modernMessage(caller, 'server/discover')),
  initialize: async (cast) => (await everythingCallers(cast)).map((caller) => legacyInitialize(caller)),
};

const SUBJECTS: Record<string, SubjectMaker> = {};
for (const [name, messagesFor] of Object.entries(ASKED)) {
  SUBJECTS[name] = async (cast) => {
    const { gateway } = await cast.everything();
    return { name, port: gateway.port, pids: [gateway.pid], messages: await messagesFor(cast), accepts: hasResult };
  };
  SUBJECTS[readyName(name)] = (cast) => readySubject(cast, name, messagesFor);
}

/** Lists, discovery and `initialize`: what they cost, compared with a ready buffer of the same size. */
export const ANSWER_ROWS = ratioGroup(SUBJECTS, [
  {
    name: 'list',
    work: 'tools/list over 20 servers, 200 tools',
    budget: { text: '≤ 1.2 × a ready buffer', at: 1.2, is: 'at most' },
    of: 'tools/list',
    to: readyName('tools/list'),
  },
  {
    name: 'discover',
    work: 'server/discover, aggregated endpoint',
    budget: { text: '≤ 1.6 × a ready buffer', at: 1.6, is: 'at most' },
    of: 'server/discover',
    to: readyName('server/discover'),
  },
  {
    name: 'initialize',
    work: 'initialize with its sealed id, aggregated endpoint',
    budget: { text: '≤ 3 × a ready buffer', at: 3, is: 'at most' },
    of: 'initialize',
    to: readyName('initialize'),
  },
]);

function readyName(name: string): string {
  return `a ready answer to ${name}`;
}

const hasResult = ({ status, text }: Answer): boolean => status === 200 && text.includes('"result":{');

async function readySubject(cast: Cast, name: string, messagesFor: (typeof ASKED)[string]): Promise<Subject> {
  const messages = await messagesFor(cast);
  const [first] = messages;
  if (first === undefined) throw new Error(`nobody asks for ${name}`);
  const { text } = await send((await cast.everything()).gateway.port, first);
  const listener = await cast.readyAnswer(Buffer.from(text));
  return { name: readyName(name), ...listener, messages, accepts: (answer) => answer.text === text };
}

async function everythingCallers(cast: Cast): Promise<readonly Caller[]> {
  const { organisation } = await cast.everything();
  return organisation.members.map(({ token }) => ({ token, path: `/${ORGANISATION_SLUG}/mcp` }));
}

const teams = new WeakMap<Cast, Promise<readonly Caller[]>>();

/** Of an organisation of their own, on the same gateway. */
function teamCallers(cast: Cast): Promise<readonly Caller[]> {
  const known = teams.get(cast);
  if (known !== undefined) return known;
  const { members, servers: count, slug, toolsPerServer } = TEAM;
  const url = `http://127.0.0.1:${cast.stage.upstream.port}/modern`;
  const founding = cast.stage
    .found({ slug, members, toolsPerServer, kinds: [{ prefix: 'server', count, era: 'modern', url }] })
    .then((team) => team.members.map(({ token }) => ({ token, path: `/${slug}/mcp` })));
  teams.set(cast, founding);
  return founding;
}
