import { CALL_SUBJECTS } from './calls.ts';
import { ratioGroup } from './ratio-rows.ts';

const refused = { budget: { text: '≤ 0.7 × a served call', at: 0.7, is: 'at most' }, of: '', to: 'own endpoint' } as const;

/** Calls of 1 KB, served and refused: processor time of each, compared in the same rounds. */
export const CALL_ROWS = ratioGroup(CALL_SUBJECTS, [
  {
    name: 'call',
    work: 'tools/call, per-server endpoint, JSON, 1 KB',
    budget: { text: '≤ 1.25 × bare proxy', at: 1.25, is: 'at most', reserves: true },
    of: 'own endpoint',
    to: 'bare proxy',
    beside: ['nginx'],
  },
  {
    name: 'call-aggregated',
    work: 'tools/call, aggregated endpoint',
    budget: { text: '≤ 1.4 × bare proxy', at: 1.4, is: 'at most', reserves: true },
    of: 'aggregated endpoint',
    to: 'bare proxy',
  },
  {
    name: 'call-session',
    work: 'tools/call of a legacy session',
    budget: { text: '≤ 1.4 × bare proxy', at: 1.4, is: 'at most', reserves: true },
    of: 'session',
    to: 'bare proxy',
  },
  { ...refused, name: 'refused-grant', work: 'a refused call: no grant', of: 'not granted' },
  { ...refused, name: 'refused-limit', work: 'a refused call: over a limit', of: 'over a limit' },
  { ...refused, name: 'refused-token', work: 'a refused call: bad token', of: 'bad token' },
]);

/** The same against a server on the official SDK, where the server is what limits. */
export const SDK_ROWS = ratioGroup(CALL_SUBJECTS, [
  {
    name: 'call-sdk',
    work: 'tools/call of a real SDK v2 server',
    budget: null,
    of: 'own endpoint of an SDK server',
    to: 'bare proxy to an SDK server',
  },
]);
