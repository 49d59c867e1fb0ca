import type { OrganisationId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { mayStartUnconfined } from './stdio-rules.ts';

const [first, second] = ['01a20e73-0000-7000-8000-000000000001', '01a20e74-0000-7000-8000-000000000000'] as OrganisationId[] as [
  OrganisationId,
  OrganisationId,
];

test('where nothing confines it, a program of the first organisation may run, alone or with neighbours, and of no other', () => {
  expect(mayStartUnconfined(first, [first])).toBeNull();
  expect(mayStartUnconfined(first, [second, first])).toBeNull();
  expect(mayStartUnconfined(second, [second, first])).toMatchObject({ code: 'stdio.not_allowed' });
});
