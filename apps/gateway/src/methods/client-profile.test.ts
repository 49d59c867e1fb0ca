import { expect, test } from 'vitest';
import type { ClientProfile } from '@patchbay/contracts';
import type { CallContext } from '../pipeline/context.ts';
import { fitProfile, profileAt } from './client-profile.ts';

const listed = (...names: string[]): { key: string; name: string; definition: Buffer }[] =>
  names.map((name) => ({ key: name, name, definition: Buffer.from(name) }));
const namesOf = (entries: readonly { name: string }[]): string[] => entries.map(({ name }) => name);

test('what a client would reject is left out and reported by reason, and the rest keeps its order', () => {
  const entries = listed('a_b', 'a.b', 'much_too_long', 'c', 'd', 'e');
  const fitted = fitProfile(entries, 'tool', { nameLengthMax: 8, namePunctuation: '_-', toolsMax: 3 });
  expect(namesOf(fitted.entries)).toEqual(['a_b', 'c', 'd']);
  expect(fitted.leftOut).toEqual({
    'name longer than 8': { count: 1, names: ['much_too_long'] },
    'name with other characters': { count: 1, names: ['a.b'] },
    'beyond the first 3': { count: 1, names: ['e'] },
  });
});

test('no bound leaves nothing out; the number of tools bounds no prompts, names bound no URIs', () => {
  const entries = listed('a.b', 'c/d', 'é');
  expect(fitProfile(entries, 'tool', {})).toEqual({ entries, leftOut: null });
  expect(fitProfile(entries, 'prompt', { toolsMax: 1 })).toEqual({ entries, leftOut: null });
  expect(fitProfile(entries, 'resource', { namePunctuation: '', nameLengthMax: 1 })).toEqual({ entries, leftOut: null });
  expect(namesOf(fitProfile(entries, 'prompt', { namePunctuation: './' }).entries)).toEqual(['a.b', 'c/d']);
});

test('a report names twenty and counts the others', () => {
  const { leftOut } = fitProfile(listed(...Array.from({ length: 30 }, (_, index) => `t.${index}`)), 'tool', { namePunctuation: '' });
  expect(leftOut?.['name with other characters']).toMatchObject({ count: 30, names: { length: 20 } });
});

test('of what a token and its endpoint say the narrower holds, member by member; what neither says has no bound', () => {
  const at = (ofToken?: ClientProfile, ofAggregate?: ClientProfile, ofServer?: ClientProfile | null): ClientProfile =>
    profileAt({
      principal: { clientProfile: ofToken },
      snapshot: { clientProfile: ofAggregate },
      endpointServer: ofServer === undefined ? null : { clientProfile: ofServer ?? undefined },
    } as CallContext);
  expect(at()).toEqual({});
  expect(at({ toolsMax: 3 })).toEqual({ toolsMax: 3 });
  expect(at(undefined, { toolsMax: 3 })).toEqual({ toolsMax: 3 });
  expect(at({ toolsMax: 3, nameLengthMax: 9 }, { toolsMax: 5, nameLengthMax: 8 })).toEqual({ toolsMax: 3, nameLengthMax: 8 });
  expect(at({ toolsMax: 3 }, { nameLengthMax: 8 })).toEqual({ toolsMax: 3, nameLengthMax: 8 });
  expect(at({ namePunctuation: '_-.' }, { namePunctuation: './_' })).toEqual({ namePunctuation: '_.' });
  expect(at({ namePunctuation: '_' }, { namePunctuation: '.' })).toEqual({ namePunctuation: '' });
  // A server's own endpoint is another than the aggregated one.
  expect(at(undefined, { toolsMax: 3 }, null)).toEqual({});
  expect(at({ toolsMax: 9 }, { toolsMax: 3 }, { toolsMax: 5 })).toEqual({ toolsMax: 5 });
});
