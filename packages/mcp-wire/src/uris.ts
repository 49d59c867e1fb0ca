/** A slug holds no `+`, so the next one ends it. */
const PREFIXED = /^patchbay\+([a-z][a-z0-9-]{0,30})\+(.+)$/s;
const OF_AN_APP = /^ui:\/\/([a-z][a-z0-9-]{0,30})\/(.*)$/s;
const APP_SCHEME = 'ui://';
const FETCHED_BY_CLIENTS = /^https?:\/\//i;

/**
 * The URI, or template, that an entry has where several servers share an endpoint: `patchbay+{slug}+{original}`, or `ui://{slug}/x` for
 * `ui://x`. http(s) stays: clients may fetch it themselves. What follows the slug is the original, byte for byte, so a template expands
 * to what its original would have expanded to (protocol.md trap 29).
 */
export function exposedUri(serverSlug: string, original: string): string {
  if (FETCHED_BY_CLIENTS.test(original)) return original;
  if (original.startsWith(APP_SCHEME)) return `${APP_SCHEME}${serverSlug}/${original.slice(APP_SCHEME.length)}`;
  return `patchbay+${serverSlug}+${original}`;
}

/** An exposed URI taken apart. */
export type ExposedUri = { readonly serverSlug: string; readonly original: string };

/**
 * Reads an exposed URI; null for any other. Also takes `patchbay+{slug}+{original}` for originals that are exposed otherwise, so that
 * each one has a name which only one server can be meant by. A server's own `ui://` URI may read like an exposed one: see who owns it.
 */
export function readExposedUri(uri: string): ExposedUri | null {
  const prefixed = PREFIXED.exec(uri);
  if (prefixed?.[1] !== undefined && prefixed[2] !== undefined) return { serverSlug: prefixed[1], original: prefixed[2] };
  const app = OF_AN_APP.exec(uri);
  return app?.[1] === undefined || app[2] === undefined ? null : { serverSlug: app[1], original: APP_SCHEME + app[2] };
}
