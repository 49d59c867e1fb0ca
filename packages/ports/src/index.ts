export type { Bus } from './bus.ts';
export type { Directory } from './directory.ts';
export type { Parts } from './parts.ts';
export type { SharedStore } from './shared-store.ts';
