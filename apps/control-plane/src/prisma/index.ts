export { Database, enterOrganisation, isTaken, type Tx } from './database.ts';
export { Lookups, type Backlog, type Listenable, type Position } from './lookups.ts';
export { checkTenantWall } from './start-up-check.ts';
export type {
  ApiToken,
  Grant,
  Limit,
  Organisation,
  PersonalToken,
  Server,
  ServerCatalogue,
  ServerSecret,
  Session,
  User,
} from '../generated/prisma/client.ts';
