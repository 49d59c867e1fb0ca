export { EmbeddedPostgresError } from './error.ts';
export { startPostgres, type RunningPostgres, type StartOptions } from './start-postgres.ts';
