import type { LaunchSpec } from '@patchbay/contracts';

/** What a server is called in errors: whether we start it or connect to it is what its admin has to know. */
export function titleOf({ dial, slug }: Pick<LaunchSpec, 'dial' | 'slug'>): string {
  return dial === null ? `Stdio server "${slug}"` : `Server "${slug}"`;
}
