import type { Bus } from './bus.ts';
import type { Counters } from './counters.ts';
import type { Directory } from './directory.ts';
import type { Parts } from './parts.ts';
import type { SharedStore } from './shared-store.ts';

/** The stores of an installation. Nothing but who makes them knows whether they are Postgres tables or Redis. */
export type Ports = {
  readonly bus: Bus;
  readonly parts: Parts;
  readonly directory: Directory;
  readonly sharedStore: SharedStore;
  readonly counters: Counters;
  close(): Promise<void>;
};
