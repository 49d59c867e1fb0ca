import { z } from 'zod';

/** Scopes of an API token. */
export const ApiScope = z.enum([
  'servers:read',
  'servers:write',
  'grants:read',
  'grants:write',
  'limits:read',
  'limits:write',
  'tokens:read',
  'tokens:mint',
  'organisations:write',
]);
export type ApiScope = z.infer<typeof ApiScope>;
