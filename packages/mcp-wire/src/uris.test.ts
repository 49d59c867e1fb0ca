import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exposedUri, readExposedUri } from './uris.ts';

const slugs = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);

test.each([
  ['file:///a', 'patchbay+fs+file:///a'],
  ['note://one?x=1#y', 'patchbay+fs+note://one?x=1#y'],
  ['file:///{+path}', 'patchbay+fs+file:///{+path}'],
  ['patchbay+inner+file:///a', 'patchbay+fs+patchbay+inner+file:///a'],
  ['ui://board/main.html', 'ui://fs/board/main.html'],
  ['ui://', 'ui://fs/'],
  ['https://example.org/a', 'https://example.org/a'],
  ['HTTP://example.org', 'HTTP://example.org'],
  ['httpx://a', 'patchbay+fs+httpx://a'],
])('%s of server fs is exposed as %s', (original, exposed) => {
  expect(exposedUri('fs', original)).toBe(exposed);
});

test('what is exposed reads back as the same server and original, whatever both hold (trap 29)', () => {
  const originals = fc.oneof(
    fc.string({ minLength: 1, unit: 'binary' }),
    fc.string().map((rest) => `https://${rest}`),
    fc.string().map((rest) => `ui://${rest}`),
  );
  fc.assert(
    fc.property(slugs, originals, (serverSlug, original) => {
      const exposed = exposedUri(serverSlug, original);
      if (exposed === original) expect(original).toMatch(/^https?:\/\//i);
      else expect(readExposedUri(exposed)).toEqual({ serverSlug, original });
    }),
  );
});

test('two servers, or two originals, never share an exposed URI other than one of the web', () => {
  const pairs = fc.tuple(
    slugs,
    fc.oneof(
      fc.string({ minLength: 1 }),
      fc.string().map((rest) => `ui://${rest}`),
    ),
  );
  fc.assert(
    fc.property(pairs, pairs, ([slug, original], [otherSlug, other]) => {
      fc.pre(slug !== otherSlug || original !== other);
      expect(exposedUri(slug, original)).not.toBe(exposedUri(otherSlug, other));
    }),
  );
});

test.each(['note://one', 'patchbay+', 'patchbay+fs', 'patchbay+fs+', 'patchbay+FS+x://a', 'ui://fs', 'ui://Fs/a', 'Patchbay+fs+x://a'])(
  '%s is no exposed URI',
  (uri) => {
    expect(readExposedUri(uri)).toBeNull();
  },
);
