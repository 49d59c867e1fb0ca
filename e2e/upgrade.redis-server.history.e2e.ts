import { ENV } from '@patchbay/contracts';
import { startLegacyUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, REVISIONS, textOf } from './support/clients.ts';
import { buildPrevious, knowledgeOf, type Knows, type PreviousBuild } from './support/previous-build.ts';
import { commandWith } from './support/processes.ts';
import { callModern, type RpcAnswer } from './support/raw.ts';
import { CONTROL_PLANES, GATEWAYS, type ProgramName, STDIO_HOSTS } from './support/scaled/layout.ts';
import { ScaledPlatform } from './support/scaled/platform.ts';
import { ROOT } from './support/scaled/program.ts';
import { until } from './support/until.ts';

const CLIENTS = [REVISIONS[0], REVISIONS[2]];
const CONFIRMED_WITHIN_MS = 30_000;
const PROGRAMS: readonly ProgramName[] = [...CONTROL_PLANES, ...STDIO_HOSTS, ...GATEWAYS];

/** Which programs are the previous commit's, in the order in which one state comes from the one before with few restarts. */
const STATES: readonly { readonly name: string; readonly slug: string; readonly previous: readonly ProgramName[] }[] = [
  { name: 'gateways and stdio hosts of before, control planes of now', slug: 'behind', previous: [...GATEWAYS, ...STDIO_HOSTS] },
  { name: 'gateways of both beside each other, control planes of now', slug: 'mixed', previous: ['gateway-1', 'stdio-host-1'] },
  { name: 'one of each of both', slug: 'halfway', previous: ['gateway-1', 'stdio-host-1', 'control-plane-1'] },
  { name: 'gateways and stdio hosts of now, control planes of before', slug: 'ahead', previous: CONTROL_PLANES },
];

let platform: ScaledPlatform;
let previous: PreviousBuild;
let knows: Knows;
let upstream: Awaited<ReturnType<typeof startLegacyUpstream>>;

beforeAll(async () => {
  upstream = await startLegacyUpstream();
  const both = await Promise.allSettled([
    buildPrevious().then((build) => (previous = build)),
    ScaledPlatform.start().then((started) => (platform = started)),
  ]);
  // Both have ended before one fails the rest: what the other made is there to be removed.
  for (const each of both) if (each.status === 'rejected') throw each.reason;
  knows = await knowledgeOf(ROOT);
}, 300_000);

afterAll(async () => {
  await Promise.all([platform?.dispose(), upstream?.close()]);
  previous?.dispose();
});

/** Restarts what runs the other build, one kind of program after another. */
async function bring(wanted: readonly ProgramName[]): Promise<void> {
  const rootFor = (name: ProgramName): string => (wanted.includes(name) ? previous.root : ROOT);
  for (const kind of [CONTROL_PLANES, STDIO_HOSTS, GATEWAYS]) {
    const wrong = kind.filter((name) => runsFrom(name) !== rootFor(name));
    await Promise.all(wrong.map((name) => platform.member(name).terminate()));
    await Promise.all(wrong.map((name) => platform.member(name).start({ root: rootFor(name) })));
  }
  for (const name of PROGRAMS) expect(runsFrom(name), name).toBe(rootFor(name));
}

/** The checkout whose script the process that has this program's port was started with. */
function runsFrom(name: ProgramName): string | undefined {
  const { ports, second } = platform.layout;
  const kind = name.replace(/-\d$/, '');
  const [variable, port] =
    kind === 'control-plane' ? [ENV.apiPort, second[name]] : [kind === 'gateway' ? ENV.gatewayPort : ENV.stdioHostPort, ports[name]];
  const command = commandWith(variable, String(port));
  return [ROOT, previous.root].find((root) => command?.endsWith(` ${root}/apps/${kind}/dist/main.js`));
}

type Answered = { status: number; json: RpcAnswer };
const served = ({ json }: Answered): boolean => json.result?.['content'] !== undefined && json.result['isError'] !== true;
const refusedWith =
  (status: number) =>
  (answer: Answered): boolean =>
    answer.status === status;

/** Resolves when every gateway answers a call of the server's `echo` as wanted. */
async function everywhere(slug: string, wanted: (answer: Answered) => boolean, token = platform.facts.token): Promise<void> {
  const call = (url: string): Promise<Answered> => callModern(url, token, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
  const ask = async (): Promise<boolean> => (await Promise.all(platform.endpoints(slug).map(call))).every(wanted);
  await until(ask, { what: `${wanted.name} on every gateway`, timeoutMs: 5_000 });
}

async function officialClientsCall(): Promise<void> {
  for (const url of platform.endpoints('everything')) {
    for (const how of CLIENTS) {
      const client = await connect(how, url, platform.facts.token);
      expect(textOf(await client.callTool({ name: 'echo', arguments: { message: how } })), `${how} at ${url}`).toContain(how);
      await client.close();
    }
  }
}

async function confirmed(): Promise<void> {
  let rollout: Record<string, unknown> = {};
  const ask = async (): Promise<boolean> => {
    rollout = await platform.api.expect(200, 'GET', '/rollout');
    return rollout['confirmedAt'] !== null && (rollout['pods'] as unknown[]).length === GATEWAYS.length;
  };
  await until(ask, { what: 'the confirmation', timeoutMs: CONFIRMED_WITHIN_MS }).catch((error: unknown) => {
    throw new Error(`the control planes say ${JSON.stringify(rollout)}`, { cause: error });
  });
}

async function setLimit(server: string): Promise<() => Promise<void>> {
  const body = { name: 'one a day', applies: { server, tool: 'echo' }, windows: [{ seconds: 86_400, max: 1 }] };
  const { id } = await platform.api.expect(201, 'POST', '/limits', body);
  const limited = ({ json }: Answered): boolean => {
    const meta = json.result?.['_meta'] as Record<string, { code: string; rule: unknown }> | undefined;
    return meta?.['com.patchbay/error']?.code === 'limit.exceeded' && meta['com.patchbay/error'].rule === id;
  };
  await everywhere(server, limited);
  return async () => void (await platform.api.expect(204, 'DELETE', `/limits/${String(id)}`));
}

describe.each(STATES)('$name', ({ previous: wanted, slug }) => {
  const hasOldGateways = GATEWAYS.some((name) => wanted.includes(name));

  test('calls are served; a grant, its withdrawal, a limit and a revocation hold on every gateway, and are confirmed', async ({ skip }) => {
    const unknown = knows.features.filter((feature) => !previous.knows.features.includes(feature));
    // The order that docs/runbooks/programs.md asks for: gateways that know a feature before the control planes that publish it.
    if (hasOldGateways) skip(unknown.length > 0, `the previous gateway does not know ${unknown.join(', ')}`);
    await bring(wanted);
    await officialClientsCall();
    await platform.api.register(slug, upstream.url, { grant: false });
    await everywhere(slug, refusedWith(403));
    const grant = await platform.api.grantAll(slug);
    await everywhere(slug, served);
    const minted = await platform.api.expect(201, 'POST', '/tokens', { name: slug });
    await everywhere(slug, served, String(minted['token']));
    await platform.api.expect(204, 'DELETE', `/tokens/${String(minted['id'])}`);
    await everywhere(slug, refusedWith(401), String(minted['token']));
    if (previous.knows.features.includes('limits')) {
      const lift = await setLimit(slug);
      await lift();
      await everywhere(slug, served);
    }
    await platform.api.expect(204, 'DELETE', `/grants/${grant}`);
    await everywhere(slug, refusedWith(403));
    if (previous.knows.reports && knows.reports) await confirmed();
  });
});
