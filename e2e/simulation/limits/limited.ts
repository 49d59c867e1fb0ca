import type { LimitId, LimitsPart, OrganisationId, Principal } from '@patchbay/contracts';
import type { Random } from '../random.ts';

export type Limit = LimitsPart['limits'][number];
/** A server with its limits; every call at it is counted by all of them. */
export type LimitedServer = { readonly id: string; limits: Limit[]; readonly users: readonly Principal[] };

export const ORGANISATION = '00000000-0000-4000-8000-000000000001' as OrganisationId;

const WINDOWS_S = [1, 1, 2, 5, 10];
const MAXIMA = [1, 3, 7, 20, 60, 200];
const CALLS_PER_SECOND_MAX = 40;

const limitOf = (server: string, number: number, change: Partial<Limit>): Limit => ({
  id: `${server}-${number}` as LimitId,
  name: `limit ${number} of ${server}`,
  mode: 'enforce',
  per: [],
  applies: { subject: null, tokenId: null, serverId: server as never, tool: null },
  windows: [],
  concurrency: null,
  ...change,
});

const userOf = (name: string): Principal =>
  ({ organisationId: ORGANISATION, userId: name, tokenId: name, subjects: ['everyone'] }) as never;

function windowOf(random: Random): Limit['windows'][number] {
  const windowMs = random.pick(WINDOWS_S) * 1_000;
  const most = (windowMs / 1_000) * CALLS_PER_SECOND_MAX;
  return { windowMs, max: random.pick(MAXIMA.filter((max) => max <= most)) };
}

/** A server with windows, two windows at once, concurrency, or both; with one counter, or one for each of two users. */
export function limitedServer(id: string, random: Random): LimitedServer {
  const per: Limit['per'] = random.chance(0.3) ? ['user'] : [];
  const users = ['ada', 'bob'].map((name) => userOf(`${name} of ${id}`));
  const window = windowOf(random);
  const longer = { windowMs: window.windowMs * 3, max: window.max * 2 };
  const concurrency = random.pick([1, 2, 5, 20]);
  const limits = random.pick([
    [limitOf(id, 1, { per, windows: [window] })],
    [limitOf(id, 1, { per, windows: [window] })],
    [limitOf(id, 1, { per, windows: [window, longer] })],
    [limitOf(id, 1, { per, concurrency })],
    [limitOf(id, 1, { per, windows: [window] }), limitOf(id, 2, { concurrency })],
    [
      limitOf(id, 1, { windows: [window], concurrency }),
      limitOf(id, 2, { per: ['user'], mode: 'audit', windows: [{ ...window, max: 1 }] }),
    ],
  ]);
  return { id, limits, users };
}

/** The name of the counter that counts this user's calls. */
export function counterOf({ id, per }: Limit, { userId }: Principal): string {
  return per.includes('user') ? `${id} ${userId}` : id;
}

/** Callers arrive this often, of all users and at all pods, to use up what the server's windows allow and more. */
export function fullLoadPerSecond({ limits }: LimitedServer): number {
  const rates = limits
    .filter(({ mode }) => mode === 'enforce')
    .flatMap(({ per, windows }) => windows.map(({ max, windowMs }) => ((max * 1_000) / windowMs) * (per.includes('user') ? 2 : 1)));
  return rates.length === 0 ? 10 : Math.min(...rates);
}
