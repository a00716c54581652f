import { expect, it } from 'vitest';
import { decodeHuffman } from './huffman.ts';

// RFC 7541, appendices C.4 and C.6.
it.each([
  ['f1e3c2e5f23a6ba0ab90f4ff', 'www.example.com'],
  ['a8eb10649cbf', 'no-cache'],
  ['25a849e95bb8e8b4bf', 'custom-value'],
  ['d07abe941054d444a8200595040b8166e082a62d1bff', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  [
    '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
])('decodes %s', (hex, text) => {
  const bytes = Buffer.from(hex, 'hex');
  expect(decodeHuffman(bytes, 0, bytes.length)).toBe(text);
});

it('refuses padding that is not ones, and codes beyond ASCII', () => {
  expect(() => decodeHuffman(Buffer.from('a8eb10649cb0', 'hex'), 0, 6)).toThrow('padding');
  expect(() => decodeHuffman(Buffer.from('ffffffff', 'hex'), 0, 4)).toThrow('beyond');
});
