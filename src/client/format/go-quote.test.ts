import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfText, textOfBytes } from './byte-text.ts';
import { goQuote, goUnquote } from './go-quote.ts';

describe('strings in Go’s quotes', () => {
  it.each([
    ['plain é 世界 🙂', '"plain é 世界 🙂"'],
    ['"\\\n\t\x07\x00\x7f', '"\\"\\\\\\n\\t\\a\\x00\\x7f"'],
    ['\u00a0\u200b\u{e0001}', '"\\u00a0\\u200b\\U000e0001"'],
    ['\ufffd', '"\ufffd"'],
  ])('%j', (text, quoted) => {
    expect(goQuote(text)).toBe(quoted);
  });

  it('shows bytes that are no UTF-8 as such', () => {
    expect(goQuote(Buffer.from([0x61, 0xff, 0xc3, 0xe2, 0x82, 0xed, 0xa0, 0x80]))).toBe(
      '"a\\xff\\xc3\\xe2\\x82\\xed\\xa0\\x80"',
    );
  });

  it('reads back whatever it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, rest) => {
        const read = goUnquote(`${goQuote(bytes)}${rest}`);
        expect(Buffer.from(read?.value ?? [])).toEqual(Buffer.from(bytes));
        expect(read?.rest).toBe(rest);
      }),
    );
  });

  it.each(['', 'a', '"open', '"\\q"', '"\\x1"', '`open'])('finds none in %j', (text) => {
    expect(goUnquote(text)).toBeUndefined();
  });

  it('travels as text', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(Buffer.from(bytesOfText(textOfBytes(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
    expect(Buffer.from(bytesOfText('a🙂\udcffé'))).toEqual(Buffer.from([0x61, ...Buffer.from('🙂'), 0xff, 0xc3, 0xa9]));
  });

  it('reads back quotes and octals', () => {
    expect(goUnquote('`a\\n` x')).toEqual({ value: Buffer.from('a\\n'), rest: ' x' });
    expect(goUnquote('"\\101\\u00e9"')?.value).toEqual(Buffer.from('Aé'));
  });
});
