import { expect, test } from 'vitest';
import { isReadable, mismatchOf, type OwnSide, protocolHeader } from './handshake.ts';

const from = new URL('http://127.0.0.1:8473');
const own: OwnSide = {
  protocol: { oldest: 2, newest: 3 },
  secretVariable: 'PATCHBAY_GATEWAY_SECRET_FILE',
  keys: { snapshotKeyIds: ['old', 'new'], tokenTagKeyId: 'tag' },
};

function about(said: object, side = own) {
  return mismatchOf({ from, status: 200, text: JSON.stringify({ protocol: { oldest: 2, newest: 3 }, ...said }) }, side);
}

test('two programs work together where their ranges of protocols meet in one at least', () => {
  for (const [oldest, newest] of [
    [1, 2],
    [3, 4],
    [2, 2],
    [1, 9],
  ] as const)
    expect(about({ protocol: { oldest, newest } })).toBeNull();
  for (const [oldest, newest] of [
    [1, 1],
    [4, 9],
  ] as const)
    expect(about({ protocol: { oldest, newest } })?.variable).toBe('PATCHBAY_CONTROL_PLANE_INTERNAL_URL');
});

test('a range that does not meet ours is named with the program and where to begin', () => {
  expect(about({ protocol: { oldest: 9, newest: 10 }, version: '7.1.0', snapshotKeyId: 'x' })?.problem).toBe(
    'names a control plane of an incompatible version: 7.1.0 at http://127.0.0.1:8473 speaks protocol 9 to 10, this program speaks 2 to 3; ' +
      'run adjacent versions, and upgrade gateways first, then stdio hosts, then control planes',
  );
});

test('a signing key needs one public half of ours, a tag key has to be the same one', () => {
  expect(about({ snapshotKeyId: 'new', tokenTagKeyId: 'tag' })).toBeNull();
  expect(about({ snapshotKeyId: 'other', tokenTagKeyId: 'tag' })).toMatchObject({
    variable: 'PATCHBAY_SNAPSHOT_PUBLIC_KEY_FILE',
    problem: expect.stringContaining('signs with (other; the file has old and new): give this gateway the snapshot-signing.pub.pem'),
  });
  expect(about({ snapshotKeyId: 'old', tokenTagKeyId: 'tog' })?.variable).toBe('PATCHBAY_TOKEN_TAG_KEY_FILE');
});

test('a program without these keys goes by the protocol alone, and what a control plane does not say is not held against it', () => {
  expect(about({ snapshotKeyId: 'other', tokenTagKeyId: 'tog' }, { ...own, keys: null })).toBeNull();
  expect(about({})).toBeNull();
});

test('no answer, an older version and what is no answer of ours say nothing; a refused secret does', () => {
  for (const [status, text] of [
    [null, ''],
    [404, '{}'],
    [500, ''],
    [200, 'hello'],
    [200, '{"protocol":"9"}'],
  ] as const)
    expect(mismatchOf({ from, status, text }, own)).toBeNull();
  expect(mismatchOf({ from, status: 401, text: '' }, own)?.variable).toBe('PATCHBAY_GATEWAY_SECRET_FILE');
});

test('the header says the same thing of every answer; without one an answer is read', () => {
  expect(isReadable(protocolHeader({ oldest: 1, newest: 2 }), own.protocol)).toBe(true);
  expect(isReadable(undefined, own.protocol)).toBe(true);
  for (const header of [protocolHeader({ oldest: 9, newest: 10 }), '', 'two', ['2-3', '2-3']])
    expect(isReadable(header, own.protocol)).toBe(false);
});
