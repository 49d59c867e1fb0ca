import { createHash } from 'node:crypto';

/**
 * A Lua script, sent once and then named by its SHA-1. Touches only keys that it is handed, all of one organisation. `isReading`: it writes
 * nothing, and may be run by who may only read its keys.
 */
export type Script = { readonly lua: string; readonly sha: string; readonly isReading: boolean };

/**
 * For scripts that write: whoever may write to Redis can leave anything under our keys, and it must not keep us from writing. What is not
 * of the kind is removed; what is no number counts as none.
 */
export const WHATEVER_STANDS = `
local function only(kind, key)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('UNLINK', key) end
end
local function number(text) return tonumber(text or '-1') or -1 end`;

export function script(lua: string, { isReading = false } = {}): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex'), isReading };
}

/** For reads: somebody else wrote something of another kind under our key. That is none of ours, and writing puts ours in its place. */
export function noneOfThatKind(error: unknown): (string | null)[] {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return [];
  throw error;
}
