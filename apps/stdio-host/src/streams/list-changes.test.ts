import { SseParser } from '@patchbay/mcp-wire';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ListChanges } from './list-changes.ts';
import type { Listener } from './numbered-stream.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const clock = { nowMs: () => Date.now() };
const key = (serverId: string) => ({ organisationId: 'o', serverId });

/** A control plane: the servers it was told of, and where it stands. */
class Reader implements Listener {
  readonly told: string[] = [];
  lastEventId: string | null = null;
  hasEnded = false;
  readonly #parser = new SseParser();

  write(event: Buffer): void {
    for (const { data, id } of this.#parser.push(event)) {
      if (data !== '') this.told.push((JSON.parse(data) as { serverId: string }).serverId);
      this.lastEventId = id ?? this.lastEventId;
    }
  }

  end(): void {
    this.hasEnded = true;
  }
}

test('every reader hears of every change, and who comes back of those alone that it missed', () => {
  const changes = new ListChanges(clock);
  const [one, two] = [new Reader(), new Reader()];
  changes.attach(one, null);
  changes.attach(two, null);
  changes.tell(key('a'));
  expect([one.told, two.told]).toEqual([['a'], ['a']]);
  changes.detach(two);
  changes.tell(key('b'));
  changes.tell(key('c'));
  vi.advanceTimersByTime(3_600_000);
  const again = new Reader();
  changes.attach(again, two.lastEventId);
  expect(again.told).toEqual(['b', 'c']);
  expect(again.lastEventId).toBe(one.lastEventId);
});

test('a storm of one server is told at once and then as one each quarter of a second, the last of it too, and holds up no other', () => {
  const changes = new ListChanges(clock);
  const reader = new Reader();
  changes.attach(reader, null);
  for (let count = 0; count < 100; count += 1) changes.tell(key('loud'));
  changes.tell(key('quiet'));
  expect(reader.told).toEqual(['loud', 'quiet']);
  vi.advanceTimersByTime(250);
  expect(reader.told).toEqual(['loud', 'quiet', 'loud']);
  vi.advanceTimersByTime(3_600_000);
  expect(reader.told).toHaveLength(3);
});

test('who was never here hears what was told in the last minute, and so does who stood in another run of the host', () => {
  const changes = new ListChanges(clock);
  changes.tell(key('old'));
  vi.advanceTimersByTime(61_000);
  changes.tell(key('new'));
  for (const lastEventId of [null, '0123456789abcdef-1', 'of no form']) {
    const reader = new Reader();
    changes.attach(reader, lastEventId);
    expect(reader.told).toEqual(['new']);
  }
});

test('readers are sent away when the host stops', () => {
  const changes = new ListChanges(clock);
  const reader = new Reader();
  changes.attach(reader, null);
  changes.hangUp();
  expect(reader.hasEnded).toBe(true);
});
