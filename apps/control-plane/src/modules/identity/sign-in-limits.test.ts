import { expect, test } from 'vitest';
import { SignInLimits } from './sign-in-limits.ts';

async function taken(limits: SignInLimits, tries: number, of: (k: number) => [address: string, user: string]): Promise<number> {
  let count = 0;
  for (let k = 0; k < tries; k += 1) if (await limits.take(...of(k))) count += 1;
  return count;
}

test('one address may try ten times as one user; from elsewhere that user still gets in', async () => {
  const limits = new SignInLimits();
  expect(await taken(limits, 15, () => ['192.0.2.1', 'owner'])).toBe(10);
  expect(await limits.take('192.0.2.2', 'owner')).toBe(true);
  expect(await limits.take('192.0.2.1', 'another')).toBe(true);
});

test('one address may try two hundred times in all, whoever it claims to be', async () => {
  const limits = new SignInLimits();
  expect(await taken(limits, 250, (k) => ['192.0.2.1', `user ${k}`])).toBe(200);
});

test('a success gives the user’s tries back, not the address’s', async () => {
  const limits = new SignInLimits();
  for (let round = 0; round < 40; round += 1) {
    expect(await taken(limits, 5, () => ['192.0.2.1', 'owner'])).toBe(5);
    await limits.forgive('192.0.2.1', 'owner');
  }
  expect(await limits.take('192.0.2.1', 'owner')).toBe(false);
});
