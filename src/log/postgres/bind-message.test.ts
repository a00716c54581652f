import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BindValue, bindMessage } from './bind-message.ts';

/** The fields of a Bind message, read as PostgreSQL's manual says. */
function read(message: Buffer) {
  let at = 0;
  const int = (bytes: number): number => {
    const number = message.readIntBE(at, bytes);
    at += bytes;
    return number;
  };
  const text = (): string => {
    const end = message.indexOf(0, at);
    const found = message.toString('utf8', at, end);
    at = end + 1;
    return found;
  };
  const type = String.fromCharCode(int(1));
  const length = int(4);
  const [portal, statement] = [text(), text()];
  const formats = Array.from({ length: int(2) }, () => int(2));
  const values = Array.from({ length: int(2) }, () => {
    const bytes = int(4);
    if (bytes < 0) return null;
    at += bytes;
    return message.subarray(at - bytes, at);
  });
  const resultFormats = int(2);
  return { type, length, portal, statement, formats, values, resultFormats, rest: message.length - at };
}

const name = fc.string().map((text) => text.replaceAll('\0', ''));
const value: fc.Arbitrary<BindValue> = fc.oneof(
  fc.constant(null),
  fc.integer(),
  fc.bigInt(),
  fc.string(),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 4000, max: 9000 }).map((bytes) => Buffer.alloc(bytes, bytes)),
  fc.integer({ min: 4000, max: 9000 }).map((length) => 'ä'.repeat(length)),
);

test('says what it was given, and copies nothing that is long', () => {
  fc.assert(
    fc.property(name, name, fc.array(value, { maxLength: 12 }), (portal, statement, values) => {
      const pieces = bindMessage(portal, statement, values);
      const message = Buffer.concat(pieces);
      expect(read(message)).toEqual({
        type: 'B',
        length: message.length - 1,
        portal,
        statement,
        formats: values.map((each) => (Buffer.isBuffer(each) ? 1 : 0)),
        values: values.map((each) => (each === null ? null : Buffer.isBuffer(each) ? each : Buffer.from(String(each)))),
        resultFormats: 0,
        rest: 0,
      });
      for (const each of values) {
        if (Buffer.isBuffer(each) && each.length >= 4096) expect(pieces).toContain(each);
      }
    }),
  );
});
