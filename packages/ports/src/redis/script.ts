import { createHash } from 'node:crypto';

/**
 * A Lua script, sent once and then named by its SHA-1. Touches only keys that it is handed, all of one organisation. `isReading`: it writes
 * nothing, and may be run by who may only read its keys.
 */
export type Script = { readonly lua: string; readonly sha: string; readonly isReading: boolean };

export function script(lua: string, { isReading = false } = {}): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex'), isReading };
}
