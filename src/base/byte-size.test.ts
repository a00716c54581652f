import { describe, expect, it } from 'vitest';
import { formatBytes, parseBytes } from './byte-size.ts';

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['1572864', 1_572_864],
    ['512MiB', 536_870_912],
    ['2Gi', 2_147_483_648],
    ['1.5 GB', 1_500_000_000],
    ['64k', 64_000],
    ['8kib', 8192],
  ])('reads %s', (written, bytes) => {
    expect(parseBytes(written)).toBe(bytes);
  });

  it.each(['', '-1', 'MiB', '5TiBB', '1e6', '1,5GB', '99999999GiB'])('refuses "%s"', (written) => {
    expect(parseBytes(written)).toBeUndefined();
  });

  it('writes binary units', () => {
    expect([0, 512, 1_572_864, 2 ** 31].map(formatBytes)).toEqual(['0B', '512B', '1.5MiB', '2GiB']);
  });
});
