import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Gathering } from './gathering.ts';
import type { Question } from './question.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const question = (key: string): Question => ({ key, id: key, method: 'roots/list', request: '{"method":"roots/list"}' });

function gathering(): { gathering: Gathering; told: string[][] } {
  const told: string[][] = [];
  return { told, gathering: new Gathering((questions) => void told.push(questions.map(({ key }) => key))) };
}

it('tells what was asked within a moment in one piece, once', () => {
  const { gathering: gathered, told } = gathering();
  gathered.add(question('1'));
  vi.advanceTimersByTime(40);
  gathered.add(question('2'));
  vi.advanceTimersByTime(40);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([['1', '2']]);
});

it('does not wait for ever for a server that keeps asking', () => {
  const { gathering: gathered, told } = gathering();
  for (let key = 0; key < 20; key += 1) {
    gathered.add(question(String(key)));
    vi.advanceTimersByTime(30);
  }
  expect(told[0]?.length).toBeGreaterThan(10);
  expect(told[0]?.length).toBeLessThan(20);
});

it('forgets what was withdrawn, and tells when that was all', () => {
  const { gathering: gathered, told } = gathering();
  gathered.add(question('1'));
  gathered.withdraw('1');
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([[]]);
});

it('does not take two questions by one key', () => {
  const { gathering: gathered } = gathering();
  expect([gathered.add(question('1')), gathered.add(question('1'))]).toEqual([true, false]);
});

it('tells nothing after it was stopped', () => {
  const { gathering: gathered, told } = gathering();
  gathered.add(question('1'));
  gathered.stop();
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([]);
});
