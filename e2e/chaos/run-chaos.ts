import { ScaledPlatform } from '../support/scaled/platform.ts';
import { Attacker } from './attacker.ts';
import { Changes } from './changes.ts';
import { type Fault, faults, type Times } from './faults.ts';
import { Load } from './load.ts';
import type { LimitFacts, Phase, Run, Sent } from './model.ts';
import { startUpstreams } from './upstreams.ts';

export type Form = 'short' | 'long';

export type ChaosOptions = {
  readonly form: Form;
  /** Only faults whose name contains this. */
  readonly only?: string;
  readonly say: (line: string) => void;
};

const TIMES: Readonly<Record<Form, Times>> = {
  // A pause is longer than a gateway's lease (6 s), so that it is believed gone meanwhile.
  short: { downMs: 1_000, pauseMs: 7_000, linkMs: 3_000, attackMs: 10_000 },
  long: { downMs: 2_000, pauseMs: 30_000, linkMs: 10_000, attackMs: 60_000 },
};
/**
 * Longer than anything here is away, and no longer: a gateway that was killed counts as one that may still serve until it would refuse by
 * itself, and until then nothing is confirmed.
 */
const STALENESS_BEYOND_MS = 30_000;
const CALLS_PER_SECOND = 40;
const LIMIT: LimitFacts = { windowMs: 10_000, max: 40 };
const CALM_MS = 4_000;
/** Between two faults, so that each has its own calls. */
const BETWEEN_MS = 500;
const RECOVERED_WITHIN_MS = 45_000;

/** Starts a scaled platform, keeps it busy, does one fault after another to it, and says what happened. Leaves no process behind. */
export async function runChaos({ form, only = '', say }: ChaosOptions): Promise<Run> {
  const times = TIMES[form];
  const sent: Sent[] = [];
  const upstreams = await startUpstreams();
  const onSent = ({ backend, call, sentAtMs }: { backend: string; call: string | null; sentAtMs: number }): void => {
    if (call !== null) sent.push({ backend, call, sentAtMs });
  };
  say('Starting two control planes, three gateways, two stdio hosts, Postgres and Redis');
  const platform = await ScaledPlatform.start({ PATCHBAY_STALENESS_BUDGET_MS: String(times.pauseMs + STALENESS_BEYOND_MS) }, { onSent });
  const attacker = new Attacker(platform.redis.url);
  const changes = new Changes(platform);
  try {
    await upstreams.register(platform, LIMIT);
    const timeoutMs = times.pauseMs + 20_000;
    const load = new Load({
      mcpUrl: (server) => platform.mcpUrl(server),
      token: platform.facts.token,
      callsPerSecond: CALLS_PER_SECOND,
      timeoutMs,
    });
    await load.start();
    changes.start();
    const chosen = faults(times).filter((fault) => (form === 'long' || fault.isShort) && fault.name.includes(only));
    const phases: Phase[] = [];
    for (const fault of [calm(), ...chosen]) {
      phases.push(await onePhase(fault, { attacker, changes, platform, times }));
      const { beganAtMs, endedAtMs, missing, name } = phases.at(-1)!;
      if (missing.length > 0) say(platform.logs());
      say(`${name}: ${((endedAtMs - beganAtMs) / 1_000).toFixed(1)} s${missing.length > 0 ? `, missing: ${missing.join('; ')}` : ''}`);
    }
    await load.stop();
    await changes.stop();
    return { calls: load.calls, sent, executions: upstreams.executions, phases, tokens: changes.revoked, limit: LIMIT };
  } catch (error) {
    say(platform.logs());
    throw error;
  } finally {
    await changes.stop();
    attacker.close();
    await platform.dispose();
    await upstreams.close();
  }
}

/** Nothing happens: what the figures are without a fault. */
function calm(): Fault {
  return {
    name: 'nothing (calm)',
    kind: 'calm',
    limitFactor: 1.05,
    isShort: true,
    victims: async () => ({ victims: [], servers: [] }),
    async run() {
      const beganAtMs = Date.now();
      await sleep(CALM_MS);
      return { beganAtMs, mendedAtMs: Date.now() };
    },
  };
}

type Stage = { readonly attacker: Attacker; readonly changes: Changes; readonly platform: ScaledPlatform; readonly times: Times };

async function onePhase(fault: Fault, { attacker, changes, platform, times }: Stage): Promise<Phase> {
  const before = { answered: changes.answered, confirmed: changes.confirmations, failed: changes.failed };
  const victims = await fault.victims(platform);
  const { problems = [], ...done } = await fault.run(platform, times, attacker);
  await changes.hold();
  const { missing, recoveredAtMs } = await recovered(changes, platform, problems);
  changes.release();
  await sleep(BETWEEN_MS);
  const { kind, limitFactor, name } = fault;
  const counts = {
    answered: changes.answered - before.answered,
    confirmed: changes.confirmations - before.confirmed,
    failed: changes.failed - before.failed,
  };
  const { lostUntilMs = done.mendedAtMs } = done;
  return { name, kind, limitFactor, ...victims, ...done, lostUntilMs, recoveredAtMs, missing, changes: counts, endedAtMs: Date.now() };
}

/** Looks again and again until every program is ready and nothing is missing anywhere. */
async function recovered(
  changes: Changes,
  platform: ScaledPlatform,
  problems: readonly string[],
): Promise<Pick<Phase, 'recoveredAtMs' | 'missing'>> {
  const deadlineMs = Date.now() + RECOVERED_WITHIN_MS;
  for (;;) {
    const missing = [...(await platform.notReady()), ...(await changes.missing())];
    if (missing.length === 0 && problems.length === 0) return { recoveredAtMs: Date.now(), missing };
    if (Date.now() > deadlineMs || missing.length === 0) return { recoveredAtMs: null, missing: [...missing, ...problems] };
    await sleep(50);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
