import type { LaunchSpec } from '@patchbay/contracts';

/** Where a server is that is not started but connected to. */
export type Dialled = NonNullable<LaunchSpec['dial']>;

/** Longest message of a server that is taken. */
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
/** What may wait for a server that takes nothing. */
export const HELD_BYTES_MAX = 64 * 1024 * 1024;
