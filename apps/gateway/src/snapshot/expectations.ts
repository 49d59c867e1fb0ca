/** What was said to come: looked at again after a while, in case nobody says that it came. */
export type Expectations = { add(look: () => void): void; clear(): void };

export function makeExpectations(afterMs: number): Expectations {
  const timers = new Set<NodeJS.Timeout>();
  return {
    add(look) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        look();
      }, afterMs);
      timers.add(timer);
    },
    clear() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
