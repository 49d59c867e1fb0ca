import { createHash } from 'node:crypto';

/** A Lua script, sent once and then named by its SHA-1. Touches only keys that it is handed, all of one organisation. */
export type Script = { readonly lua: string; readonly sha: string };

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
