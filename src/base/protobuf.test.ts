import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { int64BigBytes, int64Bytes, ProtobufError, Reader, tagOf, varintBytes, WireType, Writer } from './protobuf.ts';

const written = (write: (writer: Writer) => void): Uint8Array => {
  const writer = new Writer(1);
  write(writer);
  return writer.take();
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const read = (text: string): Reader => new Reader(Buffer.from(text, 'hex'));

const int64s = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-300n, 300n));

describe('integers', () => {
  test.each([
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 31, '8080808008'],
    [2 ** 32 - 1, 'ffffffff0f'],
    [2 ** 32, '8080808010'],
    [2 ** 53 - 1, 'ffffffffffffff0f'],
    [-1, 'ffffffffffffffffff01'],
    [-2, 'feffffffffffffffff01'],
    [-(2 ** 31), '80808080f8ffffffff01'],
    [-(2 ** 53), '80808080808080f0ff01'],
  ])('int64 %d is %s on the wire', (value, wire) => {
    expect(hex(written((writer) => writer.int64(value)))).toBe(wire);
    expect(read(wire).int64()).toBe(value);
    expect(int64Bytes(value)).toBe(wire.length / 2);
  });

  test('any int64 survives as bigint, and as number up to rounding', () => {
    fc.assert(
      fc.property(int64s, (value) => {
        const bytes = written((writer) => writer.int64Big(value));
        expect(new Reader(bytes).int64Big()).toBe(value);
        expect(new Reader(bytes).uint64Big()).toBe(BigInt.asUintN(64, value));
        expect(new Reader(bytes).int64()).toBe(Number(value));
        expect(new Reader(bytes).int32()).toBe(Number(BigInt.asIntN(32, value)));
        expect(new Reader(bytes).uint32()).toBe(Number(BigInt.asUintN(32, value)));
        expect(new Reader(bytes).bool()).toBe(value !== 0n);
        expect(int64BigBytes(value)).toBe(bytes.length);
      }),
    );
  });

  test('safe integers are written alike as number and as bigint', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = written((writer) => writer.int64(value));
        expect(bytes).toEqual(written((writer) => writer.int64Big(BigInt(value))));
        expect(int64Bytes(value)).toBe(bytes.length);
        if (value >= 0) expect(varintBytes(value)).toBe(bytes.length);
      }),
    );
  });

  test('overlong encodings are read, more than 64 bits are refused', () => {
    expect(read('808000').int64()).toBe(0);
    expect(read('8080808080808080 8001'.replace(' ', '')).int64()).toBe(-(2 ** 63));
    expect(() => read('80808080808080808002').int64()).toThrow(ProtobufError);
    expect(() => read('8080808080808080808001').int64()).toThrow(ProtobufError);
  });
});

describe('strings and bytes', () => {
  test('latin1, bytes and views hold every byte, whatever the length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
        const text = Buffer.from(value).toString('latin1');
        const bytes = written((writer) => writer.bytes(value));
        expect(written((writer) => writer.latin1(text))).toEqual(bytes);
        expect(new Reader(bytes).latin1()).toBe(text);
        expect(new Uint8Array(new Reader(bytes).view())).toEqual(value);
      }),
    );
  });

  test('strings are UTF-8, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const bytes = written((writer) => writer.string(text));
        expect(bytes).toEqual(written((writer) => writer.bytes(new TextEncoder().encode(text))));
        expect(new Reader(bytes).string()).toBe(text);
      }),
    );
    expect(read('03efbfbd').string()).toBe('\ufffd');
    expect(() => read('02c328').string()).toThrow('invalid UTF-8');
  });
});

describe('messages', () => {
  test('nested messages have the shortest length whatever was guessed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 4 }),
        fc.integer({ min: 0, max: 40_000 }),
        (sizes, guess) => {
          const bytes = written((writer) => {
            const outer = writer.open(tagOf(1, WireType.bytes), guess);
            for (const size of sizes) {
              const inner = writer.open(tagOf(2, WireType.bytes), guess);
              writer.raw(new Uint8Array(size).fill(7));
              writer.close(inner);
            }
            writer.close(outer);
          });
          const content = sizes.reduce((sum, size) => sum + 1 + varintBytes(size) + size, 0);
          expect(bytes.length).toBe(1 + varintBytes(content) + content);
          const reader = new Reader(bytes);
          expect(reader.tag()).toBe(0x0a);
          const limit = reader.enter();
          for (const size of sizes) {
            expect(reader.tag()).toBe(0x12);
            expect(Buffer.from(reader.view()).equals(Buffer.alloc(size, 7))).toBe(true);
          }
          expect(reader.tag()).toBe(0);
          reader.leave(limit);
          expect(reader.tag()).toBe(0);
        },
      ),
    );
  });

  test('messages taken from one writer stay as they are', () => {
    const writer = new Writer(16);
    const taken: Uint8Array[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 100; i++) {
      const text = `${'x'.repeat(i)}${i}`;
      writer.latin1(text);
      taken.push(writer.take());
      expected.push(text);
    }
    expect(taken.map((bytes) => new Reader(bytes).latin1())).toEqual(expected);
  });

  test('a scratch writer starts afresh, and gives back a buffer that has grown too large', () => {
    const writer = new Writer(8);
    writer.begin().raw(new Uint8Array(1000));
    expect(writer.view().length).toBe(1000);
    writer.begin().latin1('abc');
    expect(hex(writer.view())).toBe('03616263');
    writer.shrink(100);
    expect(writer.view().buffer.byteLength).toBe(8);
  });

  test('unknown fields of every wire type are skipped, groups whole', () => {
    const reader = read('0864' + '119999999999999999' + '1a0161' + '23' + '2501020304' + '2b2c' + '24' + '3d01020304');
    const tags: number[] = [];
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      tags.push(tag);
      reader.skip(tag);
    }
    expect(tags).toEqual([0x08, 0x11, 0x1a, 0x23, 0x3d]);
  });

  test.each([
    ['field number 0', '00'],
    ['field number 0 in two bytes', '8000'],
    ['a field number beyond 2^29 - 1', '8080808010'],
    ['wire type 6', '0e'],
    ['an end of group out of the blue', '0c'],
    ['a group without an end', '0b'],
    ['a group with another end', '0b14'],
    ['half a varint', '0880'],
    ['half a fixed64', '0901020304'],
    ['half a fixed32', '0d0102'],
    ['bytes longer than the message', '0a05616263'],
    ['bytes of 2^31', '0a8080808008'],
    ['bytes of 2^40', '0a808080808020'],
    ['groups nested without end', '0b'.repeat(5000)],
  ])('%s is refused', (_, wire) => {
    const reader = read(wire);
    expect(() => {
      for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) reader.skip(tag);
    }).toThrow(ProtobufError);
  });

  test('a nested message cannot be read beyond its end', () => {
    const reader = read('0a0208801001');
    reader.tag();
    const limit = reader.enter();
    expect(reader.tag()).toBe(8);
    expect(() => reader.int64()).toThrow(ProtobufError);
    reader.leave(limit);
    expect(reader.tag()).toBe(0x10);
  });

  test('random bytes never make a Reader throw anything but its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(fc.nat(8), { minLength: 1 }), (bytes, choices) => {
        const reader = new Reader(bytes);
        let turn = 0;
        try {
          for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
            switch (choices[turn++ % choices.length]) {
              case 0:
                reader.int64();
                break;
              case 1:
                reader.int64Big();
                break;
              case 2:
                reader.latin1();
                break;
              case 3:
                reader.string();
                break;
              case 4:
                reader.view();
                break;
              case 5:
                reader.leave(reader.enter());
                break;
              case 6:
                reader.bool();
                break;
              case 7:
                reader.uint32();
                break;
              default:
                reader.skip(tag);
            }
            expect(reader.remaining).toBeGreaterThanOrEqual(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
