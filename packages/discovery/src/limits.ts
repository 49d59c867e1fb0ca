/** What one server may offer (security.md §14). What lies beyond is left out and said; the rest is published. */
export const LIMITS = {
  /** Of each kind: tools, prompts, resources, templates. */
  entries: 2_000,
  entryBytes: 64 * 1024,
  catalogueBytes: 8 * 1024 * 1024,
  /** Of each list. */
  pages: 100,
  /** Of one answer. */
  answerBytes: 16 * 1024 * 1024,
  nameLength: 2_048,
  instructionsLength: 64 * 1024,
  totalMs: 120_000,
} as const;
