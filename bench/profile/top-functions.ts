import { readFileSync } from 'node:fs';
import { z } from 'zod';

const Frame = z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() });
const Profile = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: Frame })),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** A function, and which share of the busy time it took itself. */
export type SelfTime = { readonly where: string; readonly share: number };

/** What does not count as work. */
const IDLE = new Set(['(idle)']);

export type ProfileOptions = {
  readonly count: number;
  /** Only the end of the profile counts: before it the program started and warmed up. */
  readonly lastMs: number;
};

const US_PER_MS = 1_000;

/** The functions of a `.cpuprofile` in which most of the time was spent that the thread was busy, the longest first. */
export function topFunctions(file: string, { count, lastMs }: ProfileOptions): SelfTime[] {
  const { nodes, samples, timeDeltas } = Profile.parse(JSON.parse(readFileSync(file, 'utf8')));
  const names = new Map(nodes.map(({ callFrame, id }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  let busy = 0;
  let leftUs = timeDeltas.reduce((sum, delta) => sum + delta, 0);
  for (const [k, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    const took = timeDeltas[k] ?? 0;
    const isBefore = leftUs > lastMs * US_PER_MS;
    leftUs -= took;
    if (isBefore || IDLE.has(name)) continue;
    busy += took;
    times.set(name, (times.get(name) ?? 0) + took);
  }
  const sorted = [...times].toSorted(([, a], [, b]) => b - a).slice(0, count);
  return sorted.map(([where, took]) => ({ where, share: took / busy }));
}

function nameOf({ functionName, lineNumber, url }: z.infer<typeof Frame>): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === ''
    ? name
    : `${name} ${url.replace(/^.*\/(node_modules\/\.pnpm\/[^/]+\/node_modules\/|apps\/|packages\/)/, '')}:${lineNumber + 1}`;
}
