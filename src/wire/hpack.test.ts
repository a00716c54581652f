import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder, HpackError } from './hpack-decoder.ts';
import { encodeHeaderBlock, encodeIndexedLiteral } from './hpack-encoder.ts';
import { STATIC_NAMES } from './hpack-table.ts';
import { huffmanDecode, huffmanEncode, huffmanLength } from './huffman.ts';

/** The examples of RFC 7541, appendix C.3 to C.6: blocks of one connection in order, their fields, and the table after. */
const EXAMPLES = [
  {
    name: 'C.3 requests without Huffman',
    blocks: [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    tableBytes: [57, 110, 164],
  },
  {
    name: 'C.4 requests with Huffman',
    blocks: [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    tableBytes: [57, 110, 164],
  },
] as const;

const REQUESTS = [
  [':method GET', ':scheme http', ':path /', ':authority www.example.com'],
  [':method GET', ':scheme http', ':path /', ':authority www.example.com', 'cache-control no-cache'],
  [':method GET', ':scheme https', ':path /index.html', ':authority www.example.com', 'custom-key custom-value'],
];

function decode(decoder: HpackDecoder, hex: string, listBytesMax = 65_536): string[] {
  const block = Buffer.from(hex, 'hex');
  const fields: string[] = [];
  decoder.decode(block, 0, block.length, listBytesMax, fields);
  return fields;
}

function pairs(fields: readonly string[]): string[] {
  return fields.flatMap((name, i) => (i % 2 === 0 ? [`${name} ${fields[i + 1]}`] : []));
}

describe('HPACK decoder', () => {
  for (const { name, blocks, tableBytes } of EXAMPLES) {
    it(`reads RFC 7541 ${name}`, () => {
      const decoder = new HpackDecoder();
      for (const [i, block] of blocks.entries()) {
        expect(pairs(decode(decoder, block))).toEqual(REQUESTS[i]);
        expect(decoder.table.bytes).toBe(tableBytes[i]);
      }
    });
  }

  it('reads RFC 7541 C.2: literals with, without and never indexing, and an indexed field', () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, '400a637573746f6d2d6b65790d637573746f6d2d686561646572')).toEqual([
      'custom-key',
      'custom-header',
    ]);
    expect(decoder.table.bytes).toBe(55);
    expect(decode(decoder, '040c2f73616d706c652f70617468')).toEqual([':path', '/sample/path']);
    expect(decode(decoder, '100870617373776f726406736563726574')).toEqual(['password', 'secret']);
    expect(decode(decoder, '82')).toEqual([':method', 'GET']);
    expect(decoder.table.bytes).toBe(55);
  });

  it('evicts as in RFC 7541 C.6 (table of 256 bytes, Huffman)', () => {
    const decoder = new HpackDecoder();
    // 3f e1 01: a size update to 256, where the example sets the size by other means.
    const first = decode(
      decoder,
      '3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
    );
    expect(pairs(first)).toEqual([
      ':status 302',
      'cache-control private',
      'date Mon, 21 Oct 2013 20:13:21 GMT',
      'location https://www.example.com',
    ]);
    expect(decoder.table.bytes).toBe(222);
    expect(pairs(decode(decoder, '4883640effc1c0bf'))).toEqual([
      ':status 307',
      'cache-control private',
      'date Mon, 21 Oct 2013 20:13:21 GMT',
      'location https://www.example.com',
    ]);
    expect(decoder.table.bytes).toBe(222);
    const third = decode(
      decoder,
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    );
    expect(pairs(third)).toEqual([
      ':status 200',
      'cache-control private',
      'date Mon, 21 Oct 2013 20:13:22 GMT',
      'location https://www.example.com',
      'content-encoding gzip',
      'set-cookie foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ]);
    expect(decoder.table.bytes).toBe(215);
  });

  it('has the static table whole', () => {
    expect(STATIC_NAMES.length).toBe(62);
    expect(STATIC_NAMES[61]).toBe('www-authenticate');
    expect(STATIC_NAMES[31]).toBe('content-type');
  });

  it.each([
    ['index 0', '80'],
    ['index past both tables', 'be'],
    ['name index past both tables', '7f80010161'],
    ['integer cut short', 'ff'],
    ['integer too long', 'ffffffffffffffff7f'],
    ['string cut short', '400a6375'],
    ['value missing', '400161'],
    ['size update above the setting', '3fe23f'],
    ['size update after a field', '8220'],
    ['Huffman with EOS', '00016184ffffffff'],
    ['Huffman padded with zeros', '0001618100'],
    ['Huffman padded with a whole byte', '0001618207ff'],
  ])('refuses %s', (_name, hex) => {
    expect(() => decode(new HpackDecoder(), hex)).toThrow(HpackError);
  });

  it('keeps the table in step when a list is too long, and drops the fields', () => {
    const decoder = new HpackDecoder();
    const block = Buffer.concat([
      encodeIndexedLiteral('a', 'x'.repeat(100)),
      encodeIndexedLiteral('b', 'y'.repeat(100)),
    ]);
    expect(decode(decoder, block.toString('hex'), 150)).toEqual(['a', 'x'.repeat(100)]);
    expect(decoder.listBytes).toBe(266);
    expect(decode(decoder, 'bebf')).toEqual(['b', 'y'.repeat(100), 'a', 'x'.repeat(100)]);
  });

  it('an entry larger than the table empties it and is none', () => {
    const decoder = new HpackDecoder();
    decode(decoder, encodeIndexedLiteral('a', 'b').toString('hex'));
    decode(decoder, encodeIndexedLiteral('big', 'x'.repeat(5000)).toString('hex'));
    expect(decoder.table.length).toBe(0);
    expect(decoder.table.bytes).toBe(0);
  });

  it('a bomb of references to one large entry is counted, not kept', () => {
    const decoder = new HpackDecoder();
    const bomb = Buffer.concat([encodeIndexedLiteral('a', 'x'.repeat(4000)), Buffer.alloc(16_000, 0xbe)]);
    const fields = decode(decoder, bomb.toString('hex'), 65_536);
    expect(fields.length).toBeLessThan(40);
    expect(decoder.listBytes).toBeGreaterThan(64_000_000);
  });

  it('random bytes: fields or HpackError, and the table within its bound', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (blocks) => {
        const decoder = new HpackDecoder();
        try {
          for (const block of blocks) decode(decoder, Buffer.from(block).toString('hex'));
        } catch (error) {
          expect(error).toBeInstanceOf(HpackError);
        }
        expect(decoder.table.bytes).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('HPACK encoder', () => {
  it('what it writes is read back, and the table stays empty', () => {
    const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)) });
    fc.assert(
      fc.property(fc.array(fc.tuple(octets, octets), { maxLength: 8 }), (list) => {
        const decoder = new HpackDecoder();
        const fields = list.flat();
        expect(decode(decoder, encodeHeaderBlock(fields).toString('hex'))).toEqual(fields);
        expect(decoder.table.length).toBe(0);
      }),
    );
  });
});

describe('Huffman', () => {
  it('every octet survives, alone and together', () => {
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    for (const text of [...all, all, '']) {
      const code = new Uint8Array(huffmanLength(text));
      expect(huffmanEncode(text, code, 0)).toBe(code.length);
      const out = new Uint8Array(code.length * 2 + 1);
      const length = huffmanDecode(code, 0, code.length, out);
      expect(Buffer.from(out.subarray(0, length)).toString('latin1')).toBe(text);
    }
  });
});

describe('field syntax', () => {
  it('is judged at the literal and remembered by the table', () => {
    const decoder = new HpackDecoder();
    decode(decoder, encodeIndexedLiteral('good', 'value').toString('hex'));
    expect(decoder.isWellFormed).toBe(true);
    decode(decoder, encodeIndexedLiteral('bad', 'va\nlue').toString('hex'));
    expect(decoder.isWellFormed).toBe(false);
    // bf: good, be: bad.
    decode(decoder, 'bf');
    expect(decoder.isWellFormed).toBe(true);
    decode(decoder, 'bebf');
    expect(decoder.isWellFormed).toBe(false);
    // The table grows: what it remembers moves along.
    for (let i = 0; i < 20; i++) decode(decoder, encodeIndexedLiteral(`x${i}`, 'y').toString('hex'));
    decode(decoder, (0x80 | (62 + 20)).toString(16));
    expect(decoder.isWellFormed).toBe(false);
    decode(decoder, (0x80 | (62 + 21)).toString(16));
    expect(decoder.isWellFormed).toBe(true);
  });
});
