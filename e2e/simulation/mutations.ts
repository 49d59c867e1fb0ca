import type { Verifier } from '../../apps/gateway/dist/snapshot/verify.js';
import type { Mutation } from './settings.ts';

/**
 * A gateway that takes a directory entry for as new as can be, and so believes lookups that are older than an invalidation. It knows no
 * part of revoked tokens either: that would refuse them all the same.
 */
export const believesLateLookups: Mutation = (deps) => {
  const verifier: Verifier = {
    open: async (kind, shape, text) => {
      const opened = await deps.verifier.open(kind, shape, text);
      if (!opened.ok) return opened;
      if (kind === 'tokenEntry') return { ok: true, value: { ...opened.value, revision: Number.MAX_SAFE_INTEGER } };
      if (kind !== 'manifest') return opened;
      const { parts } = opened.value as { parts: { kind: string }[] };
      return { ok: true, value: { ...opened.value, parts: parts.filter((part) => part.kind !== 'revocations') } };
    },
  };
  return { ...deps, verifier };
};

/** A gateway that does not know after a restart how far it had come. */
export const forgetsHowFarItCame: Mutation = (deps) => ({
  ...deps,
  files: { ...deps.files, read: async (path) => (path.endsWith('/high-water.json') ? null : deps.files.read(path)) },
});

/** A gateway that serves as long as it likes without news. */
export const neverStale: Mutation = (deps) => ({ ...deps, stalenessBudgetMs: deps.stalenessBudgetMs * 1_000 });
