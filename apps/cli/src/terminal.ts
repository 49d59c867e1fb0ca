import { cleanText } from '@patchbay/telemetry/redact';

/** From here on a step is slow enough to be mentioned. */
const SLOW_MS = 300;

/** The only way to the person who started us: plain lines, the same on a terminal and in a pipe. */
export type Terminal = {
  /** Whether a person looks at it, so that secrets may be shown. */
  readonly showsSecrets: boolean;
  line(text: string): void;
  /** For what other programs said: masked and escaped, so that no terminal obeys it. */
  foreign(text: string): void;
  problem(text: string): void;
  /** Waits for a step; a line when it begins to be slow, another with its seconds when it is done. */
  step<T>(title: string, work: () => Promise<T>): Promise<T>;
};

/** Writes to our stdout and stderr. Secrets are for terminals, unless `printSecrets` forces them into a pipe. */
export function openTerminal(printSecrets: boolean): Terminal {
  const line = (text: string): void => console.log(text);
  // Whoever reads us may go away first; that is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return {
    showsSecrets: printSecrets || process.stdout.isTTY,
    line,
    foreign: (text) =>
      line(
        text
          .split('\n')
          .map((each) => `  | ${cleanText(each)}`)
          .join('\n'),
      ),
    problem: (text) => console.error(text),
    step: async (title, work) => {
      const startedAt = performance.now();
      let isSlow = false;
      const timer = setTimeout(() => {
        isSlow = true;
        line(`${title} …`);
      }, SLOW_MS);
      try {
        const result = await work();
        if (isSlow) line(`${title}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
        return result;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
