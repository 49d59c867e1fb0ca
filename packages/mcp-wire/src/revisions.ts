/** Revisions that open with `initialize`, oldest first. */
export const LEGACY_VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
export type LegacyVersion = (typeof LEGACY_VERSIONS)[number];

/** The stateless revision: every request carries its version and capabilities. */
export const MODERN_VERSION = '2026-07-28';

/** Every revision spoken towards clients and upstreams, oldest first. */
export const SUPPORTED_VERSIONS = [...LEGACY_VERSIONS, MODERN_VERSION] as const;

/** modern: 2026-07-28 and later; legacy: everything before. */
export type Era = 'modern' | 'legacy';

/** What a legacy message without an `MCP-Protocol-Version` header is taken to speak. */
export const ASSUMED_LEGACY_VERSION: LegacyVersion = '2025-03-26';

const LATEST_LEGACY: LegacyVersion = '2025-11-25';

export function isLegacyVersion(version: string): version is LegacyVersion {
  return (LEGACY_VERSIONS as readonly string[]).includes(version);
}

/** The version an `initialize` is answered with: the requested one if we speak it, else our latest legacy one. */
export function negotiateLegacy(requested: string | null): LegacyVersion {
  return requested !== null && isLegacyVersion(requested) ? requested : LATEST_LEGACY;
}
