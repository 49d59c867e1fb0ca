/** What one run of a server may use, with everything that it starts. */
export type Limits = {
  readonly memoryBytes: number;
  /** Of its data directory, and of one file anywhere. */
  readonly diskBytes: number;
  /** Processes and their threads. */
  readonly tasksMax: number;
  readonly openFilesMax: number;
  /** How many processors' worth of time. */
  readonly cpus: number;
};
