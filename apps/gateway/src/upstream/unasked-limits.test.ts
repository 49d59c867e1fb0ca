import { ServerId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { UnaskedLimits, type Speaker } from './unasked-limits.ts';

const speaker = (slug: string): Speaker => ({
  organisationSlug: 'acme',
  server: { slug, id: ServerId.parse('00000000-0000-4000-8000-0000000000'.concat(slug)) },
});

test('a server says so much a minute and no more, each kind and each server by itself, and each message beyond is counted', () => {
  const clock = { at: 5 };
  const exceeded: string[] = [];
  const limits = new UnaskedLimits(
    { notifications: 2, requests: 1 },
    ({ server }, what) => exceeded.push(`${server.slug} ${what}`),
    () => clock.at,
  );
  const say = (slug: string, kind: 'notification' | 'request' | 'response') => limits.admits(speaker(slug), { kind });
  expect([say('01', 'notification'), say('01', 'notification'), say('01', 'notification'), say('01', 'notification')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect([say('01', 'request'), say('01', 'request'), say('02', 'notification'), say('01', 'response')]).toEqual([true, false, true, true]);
  expect(exceeded).toEqual(['01 notifications', '01 notifications', '01 requests']);
  clock.at += 60_000;
  expect([say('01', 'notification'), say('01', 'request')]).toEqual([true, true]);
});
