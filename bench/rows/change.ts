import { type HttpMessage, send } from '../load/http-message.ts';
import { modernCall } from '../load/mcp-messages.ts';
import { quantile } from '../measure/statistics.ts';
import { type Organisation, NOT_GRANTED } from '../organisation/organisation.ts';
import { makeRepublisher } from '../organisation/republish.ts';
import { type Cast, KIND, settle } from './cast.ts';
import type { Group, Row } from './row.ts';

const PODS = 3;
const CHANGES = 30;
const TIMEOUT_MS = 10_000;

const ROW: Row = {
  name: 'change-pods',
  work: 'announcement of a changed grant → enforced on 3 pods, 50,000 tools (without the control plane’s part)',
  budget: null,
};

/** How long after its announcement a grant that was given or withdrawn is in force on every pod, as calls find out. */
export const CHANGE_ROWS: Group = {
  rows: [ROW],
  async measure(cast) {
    const { gateway, organisation } = await cast.everything();
    const pods = [gateway];
    while (pods.length < PODS) {
      const more = await cast.stage.gateway();
      await settle(more, organisation);
      pods.push(more);
    }
    cast.say(`Giving and withdrawing a grant ${CHANGES} times`);
    const tookMs = await changes(
      cast,
      organisation,
      pods.map(({ port }) => port),
    );
    const text = `p99 ${quantile(tookMs, 0.99).toFixed(0)} ms, p50 ${quantile(tookMs, 0.5).toFixed(0)} ms of ${CHANGES}`;
    return [{ row: ROW.name, figure: quantile(tookMs, 0.99), text }];
  },
};

async function changes({ stage }: Cast, organisation: Organisation, ports: readonly number[]): Promise<readonly number[]> {
  const republish = makeRepublisher(organisation, stage);
  const server = organisation.servers.find(({ slug }) => slug === `${KIND.calls}-0`);
  const [member] = organisation.members;
  if (server === undefined || member === undefined) throw new Error('nobody can be granted anything');
  const message = modernCall({ token: member.token, path: `/${organisation.slug}/${server.slug}/mcp` }, NOT_GRANTED);
  const tookMs: number[] = [];
  for (let k = 0; k < CHANGES; k += 1) {
    const isGranted = k % 2 === 0;
    const announcedAt = await republish(isGranted ? [{ member, server, tool: NOT_GRANTED }] : []);
    const inForceAt = await Promise.all(ports.map((port) => inForce(port, message, isGranted)));
    tookMs.push(Math.max(...inForceAt) - announcedAt);
  }
  return tookMs;
}

/** The moment at which a call was first decided by the change. */
async function inForce(port: number, message: HttpMessage, isGranted: boolean): Promise<number> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const { text } = await send(port, message);
    if (text.includes('"code":"tool.unknown"') !== isGranted) return performance.now();
    if (performance.now() > deadline) throw new Error(`a change did not arrive: ${text.slice(0, 400)}`);
  }
}
