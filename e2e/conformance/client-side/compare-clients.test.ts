import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ClientExceptions, compareClients } from './compare-clients.ts';
import type { Observed } from './run-client-side.ts';
import { CLIENT_SCENARIOS } from './scenarios.ts';

const scenario = { name: 'sse-retry', revision: '2025-11-25' } as const;
const made = (timing: string): Observed => {
  const checks = [
    { id: 'Reconnects', status: 'SUCCESS' },
    { id: 'Timing', status: timing },
  ];
  return { outcomes: new Map([['sse-retry', checks]]), failure: null };
};
const listed: ClientExceptions = [{ clients: ['legacy'], reason: 'Not built yet.', checks: ['2025-11-25 sse-retry:Timing'] }];
const compared = (client: 'legacy' | 'modern', timing: string) =>
  compareClients({ scenario, client, direct: made('SUCCESS'), through: made(timing) }, listed);

test('a check that the client passes alone and not with the gateway is a breach, unless it is listed for that client', () => {
  expect(compared('legacy', 'FAILURE')).toMatchObject({ direct: 2, through: 1, breaches: [] });
  expect(compared('legacy', 'FAILURE').missing).toEqual([{ check: '2025-11-25 sse-retry:Timing', reason: 'Not built yet.' }]);
  expect(compared('modern', 'SKIPPED').breaches).toEqual([
    'gateway as the client, modern before it: 2025-11-25 sse-retry:Timing passes direct and not through: SKIPPED',
  ]);
});

test('a client that could not begin is a breach, whatever was checked', () => {
  const through = { ...made('FAILURE'), failure: 'no connection' };
  const { breaches } = compareClients({ scenario, client: 'legacy', direct: made('SUCCESS'), through }, listed);
  expect(breaches).toEqual(['gateway as the client, legacy before it: 2025-11-25 sse-retry: no connection']);
});

test('one that is listed and passes is a breach', () => {
  expect(compared('legacy', 'SUCCESS').breaches).toEqual([
    'gateway as the client, legacy before it: 2025-11-25 sse-retry:Timing is listed as missing, and is not',
  ]);
});

test('the committed list can be read and is about scenarios that are run', () => {
  const text = readFileSync(join(import.meta.dirname, 'exceptions.yaml'), 'utf8');
  const run = CLIENT_SCENARIOS.map(({ name, revision }) => `${revision} ${name}`);
  for (const { checks } of ClientExceptions.parse(parse(text)))
    for (const check of checks) expect(run).toContain(check.slice(0, check.lastIndexOf(':')));
});
