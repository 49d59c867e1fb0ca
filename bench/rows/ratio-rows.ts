import { measureRounds, ratioOf, type Samples, samplesOf, type Sample } from '../measure/rounds.ts';
import { median } from '../measure/statistics.ts';
import type { SubjectMaker } from './calls.ts';
import type { Group, Measured, Row } from './row.ts';

/** A row that compares what two subjects cost. */
export type RatioRow = Row & {
  readonly of: string;
  readonly to: string;
  /** What is compared; processor time per request where nothing is said. */
  readonly what?: keyof Sample;
  /** Measured in the same rounds and said beside it. */
  readonly beside?: readonly string[];
};

/** At once on each listener: enough to keep it busy. */
const CONNECTIONS = 16;

/** Rows whose subjects are measured in the same rounds. */
export function ratioGroup(makers: Readonly<Record<string, SubjectMaker>>, rows: readonly RatioRow[], connections = CONNECTIONS): Group {
  return {
    rows,
    async measure(cast, wanted) {
      const chosen = rows.filter(({ name }) => wanted.has(name));
      const names = [...new Set(chosen.flatMap(({ beside = [], of, to }) => [of, to, ...beside]))];
      const subjects = [];
      for (const name of names) {
        const make = makers[name];
        if (make === undefined) throw new Error(`there is no subject "${name}"`);
        subjects.push(await make(cast));
      }
      cast.say(`Measuring ${names.join(', ')}`);
      const samples = await measureRounds(subjects, { ...cast.pace, connections, folder: cast.stage.folder });
      return chosen.map((row) => measuredRatio(row, samples));
    },
  };
}

/** What the samples say of such a row. */
export function measuredRatio({ beside = [], name, of, to, what = 'cpuUs' }: RatioRow, samples: Samples): Measured {
  const ratio = ratioOf(samples, of, to, what);
  const others = beside.map((other) => `${other} ${ratioOf(samples, other, to, what).median.toFixed(2)}`);
  const figures = what === 'cpuUs' ? `${costOf(samples, of)} / ${costOf(samples, to)}` : `${rateOf(samples, of)} / ${rateOf(samples, to)}`;
  const text = `${ratio.median.toFixed(2)} × (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}; ${figures})`;
  return { row: name, figure: ratio.median, text: [text, ...others].join('; ') };
}

/** Microseconds of a request. */
function costOf(samples: Samples, name: string): string {
  return `${median(samplesOf(samples, name).map(({ cpuUs }) => cpuUs)).toFixed(0)} µs`;
}

const BYTES_PER_MB = 1e6;

function rateOf(samples: Samples, name: string): string {
  return `${(median(samplesOf(samples, name).map(({ bytesPerSecond }) => bytesPerSecond)) / BYTES_PER_MB).toFixed(0)} MB/s`;
}
