import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const resolve = { conditions: ['patchbay-source'] };
const ssr = { resolve: { conditions: ['patchbay-source'] } };

/** Two at least, also on two cores: integration tests mostly wait for processes to start and for time to pass. */
const maxWorkers = Math.max(2, availableParallelism() - 1);

/** What takes longest: begun last, it would keep one worker busy while the others have nothing left. */
const LONG = ['e2e/conformance', 'e2e/lifecycle', 'e2e/upgrade', 'stdio-host/test/cycles'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.some((each) => moduleId.includes(each));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((each) => !isLong(each))];
  }
}

/** Held to what a clock says, most of them of the whole platform. */
const TIMED = ['e2e/**/{changes,chaos,limits}.*e2e.ts', 'bench/**/*.e2e.ts'];

/** unit: pure and fast, beside the source. integration: real Postgres and real processes, per app. e2e and e2e-timed: the whole platform. */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // In CI the counts are read from a report, not from what a terminal shows.
    reporters: process.env['CI'] === 'true' ? ['default', ['json', { outputFile: '.cache/test-results.json' }]] : ['default'],
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          maxWorkers,
          include: [
            '{apps,packages}/*/src/**/*.test.ts',
            'e2e/simulation/**/*.test.ts',
            '{bench,e2e}/**/*.test.ts',
            'scripts/**/*.test.mjs',
          ],
          // Properties take seconds on a busy machine.
          testTimeout: 20_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'integration',
          maxWorkers,
          include: ['{apps,packages}/*/test/**/*.itest.ts', 'e2e/**/*.itest.ts', 'tools/test/**/*.itest.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'e2e',
          maxWorkers,
          include: ['e2e/**/*.e2e.ts'],
          exclude: [...configDefaults.exclude, ...TIMED],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'e2e-timed',
          include: TIMED,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          // After everything else: these tests hold the platform to milliseconds and want the machine for themselves.
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
