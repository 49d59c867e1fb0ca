import type { Labels } from './metrics.ts';
import type { Sample } from './series.ts';

/** One series as it stands now. */
export type Reading<L extends string> = readonly [Labels<L>, number];

const READ_MS_MAX = 1_000;

/** The samples that `read` gives now; none when it throws or takes too long, so that one store that hangs hides nothing else. */
export async function readFamily<L extends string>(
  type: 'counter' | 'gauge',
  read: () => Iterable<Reading<L>> | Promise<Iterable<Reading<L>>>,
  fold: (values: Labels<L>) => Labels<L>,
): Promise<Sample[]> {
  const samples = new Map<string, { labels: Labels<L>; value: number }>();
  for (const [values, value] of await inTime(read)) {
    const labels = fold(values);
    const key = JSON.stringify(labels);
    const known = samples.get(key);
    if (known === undefined) samples.set(key, { labels, value });
    else known.value = type === 'counter' ? known.value + value : Math.max(known.value, value);
  }
  return [...samples.values()];
}

async function inTime<T>(read: () => Iterable<T> | Promise<Iterable<T>>): Promise<Iterable<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Iterable<T>>((resolve) => {
    timer = setTimeout(resolve, READ_MS_MAX, []);
  });
  try {
    return await Promise.race([read(), late]);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}
