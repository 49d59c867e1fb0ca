import { join } from 'node:path';
import { commitOf, neighbours, thisMachine } from './measure/machine.ts';
import { lineOf, type Line, type Results } from './report/figures.ts';
import { makeCast, type Pace } from './rows/cast.ts';
import { GROUPS } from './rows/index.ts';
import { openStage } from './stage/stage.ts';

export type BenchOptions = {
  /** Names of the rows; null: all of them. */
  readonly only: readonly string[] | null;
  readonly pace: Pace;
  /** Processor time that is burnt on each request of the gateway, to show that it is seen; 0: none. */
  readonly burnUs: number;
  readonly say: (line: string) => void;
};

const ROOT = join(import.meta.dirname, '..');
const BURN = join(import.meta.dirname, 'preload/burn.mjs');

/** Measures the rows on a stage of its own. */
export async function runBench({ burnUs, only, pace, say }: BenchOptions): Promise<Results> {
  const startedAt = performance.now();
  const remarks = [neighbours(), burnUs === 0 ? null : `${burnUs} µs of processor time were burnt on each request of the gateway.`];
  const all = GROUPS.flatMap(({ rows }) => rows.map(({ name }) => name));
  const unknown = (only ?? []).filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(', ')} (there are: ${all.join(', ')})`);
  const wanted = new Set(only ?? all);
  const stage = await openStage(burnUs === 0 ? {} : { nodeOptions: ['--import', BURN], env: { BENCH_BURN_US: String(burnUs) } });
  try {
    const cast = makeCast(stage, pace, say);
    const lines: Line[] = [];
    for (const { measure, rows } of GROUPS.filter((group) => group.rows.some(({ name }) => wanted.has(name)))) {
      const measured = await measure(cast, wanted);
      lines.push(...rows.flatMap((row) => measured.filter(({ row: name }) => name === row.name).map((figures) => lineOf(row, figures))));
    }
    return {
      date: new Date().toISOString().slice(0, 10),
      commit: commitOf(ROOT),
      machine: thisMachine(),
      seconds: (performance.now() - startedAt) / 1_000,
      remarks: remarks.filter((remark) => remark !== null),
      lines,
    };
  } finally {
    await stage.close();
  }
}
