import { describe, expect, it } from 'vitest';
import { positionsText, readPositions } from './stream-positions.ts';

describe('the position in the streams of several servers', () => {
  it('comes back as it was, whatever the servers’ own ids hold', () => {
    const positions = new Map([
      ['one', 'a&b=c:d ü?'],
      ['other', ''],
    ]);
    const text = positionsText(positions);
    expect(text).toMatch(/^[\x21-\x7e]+$/);
    expect(readPositions(text)).toEqual(positions);
  });

  it('is none where the id is that of a call’s stream', () => {
    expect(readPositions('one:7')).toBeNull();
  });

  it('fits into a header: what was heard longest ago gives way', () => {
    const positions = new Map(Array.from({ length: 32 }, (_, index) => [`server-${index}`, 'x'.repeat(100)]));
    const text = positionsText(positions);
    expect(text.length).toBeLessThanOrEqual(2_048);
    expect(readPositions(text)?.has('server-31')).toBe(true);
    expect(readPositions(text)?.has('server-0')).toBe(false);
  });
});
