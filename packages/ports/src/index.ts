export type { Bus, Topic } from './bus.ts';
export type { Counters, LimitWindow, Lease, SlotsHeld } from './counters.ts';
export type { Directory, NewTokenEntry } from './directory.ts';
export type { Parts } from './parts.ts';
export type { SharedStore } from './shared-store.ts';
export { createPostgresPorts, type PostgresPorts, type PostgresPortsOptions } from './postgres/create-postgres-ports.ts';
export { ensureRoles, ROLES, type RolePasswords } from './postgres/roles.ts';
export { migratePorts, PORTS_SCHEMA_VERSION } from './postgres/schema.ts';
export type { SqlClient } from './postgres/sql-client.ts';
