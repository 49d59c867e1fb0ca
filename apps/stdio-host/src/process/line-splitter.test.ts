import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

function linesOf(chunks: readonly Buffer[], bytesMax = 1_000): { lines: string[]; fits: boolean } {
  const lines: string[] = [];
  const splitter = new LineSplitter(bytesMax, (line) => lines.push(line.toString()));
  const fits = chunks.every((chunk) => splitter.push(chunk));
  splitter.flush();
  return { lines, fits };
}

test('lines do not depend on how the stream was cut, also within a character', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''))), fc.nat(), (lines, seed) => {
      const bytes = Buffer.from(lines.map((line, index) => line + (index % 2 === 0 ? '\n' : '\r\n')).join(''));
      const size = 1 + (seed % 7);
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
      expect(linesOf(chunks, 100_000).lines).toEqual(lines.filter((line) => line !== ''));
    }),
  );
});

test('a line over the limit is told at once, before its end has come', () => {
  expect(linesOf([Buffer.from('x'.repeat(10))], 10).fits).toBe(true);
  expect(linesOf([Buffer.from('x'.repeat(6)), Buffer.from('x'.repeat(5))], 10).fits).toBe(false);
});

test('what stands without a final line feed is not lost', () => {
  expect(linesOf([Buffer.from('a\nb')]).lines).toEqual(['a', 'b']);
});
