export * from './api.ts';
export * from './bootstrap-file.ts';
export * from './directory.ts';
export * from './environment.ts';
export * from './ids.ts';
export * from './internal-api.ts';
export * from './limits.ts';
export * from './snapshot.ts';
