import { describe, expect, it } from 'vitest';
import { Crc32c } from './crc32c.ts';

function crcOf(...pieces: Uint8Array[]): number {
  const crc = new Crc32c();
  for (const piece of pieces) crc.update(piece);
  return crc.value;
}

describe('CRC-32C', () => {
  it('has the values of RFC 3720, appendix B.4', () => {
    expect(crcOf(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crcOf(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crcOf(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crcOf(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
  });

  it('of "123456789" is the check value, however it is cut', () => {
    const text = Buffer.from('123456789');
    expect(crcOf()).toBe(0);
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(crcOf(text.subarray(0, cut), text.subarray(cut))).toBe(0xe3069283);
    }
  });
});
