import type { Cast } from './cast.ts';

/** What a row must reach. */
export type Budget = {
  readonly text: string;
  /** The figure's bound. */
  readonly at: number;
  /** Which side of the bound is good. */
  readonly is: 'at most' | 'at least';
  /** Work that is not built yet will be part of it: 5 % are kept free for it. */
  readonly reserves?: boolean;
};

/** One line of the table. */
export type Row = {
  /** For `--only`. */
  readonly name: string;
  readonly work: string;
  /** null: reported beside the others. */
  readonly budget: Budget | null;
};

/** What was measured for a row. */
export type Measured = {
  readonly row: string;
  /** null: it could not be measured, and the text says why. */
  readonly figure: number | null;
  readonly text: string;
};

/** Rows that share their measurement. */
export type Group = {
  readonly rows: readonly Row[];
  /** Measures the rows that are wanted, and no others. */
  measure(cast: Cast, wanted: ReadonlySet<string>): Promise<readonly Measured[]>;
};
