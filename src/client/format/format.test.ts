import { describe, expect, it } from 'vitest';
import { ResponseOp } from '../../etcd/messages/kv-table.ts';
import { goDuration } from './go-duration.ts';
import { parseInt64, parseInt64Number, parseUint64 } from './go-integer.ts';
import { goJson } from './go-json.ts';
import { humanBytes } from './human-bytes.ts';
import { messageJson } from './message-json.ts';
import { textTable } from './text-table.ts';

describe('how etcdctl writes', () => {
  it.each([
    [0.0000005, '1ns'],
    [0.972432, '972.432µs'],
    [3.384736, '3.384736ms'],
    [1500, '1.5s'],
    [61_500, '1m1.5s'],
  ])('durations: %d ms', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });

  it.each([
    [9, '9 B'],
    [999, '999 B'],
    [20480, '20 kB'],
    [1499, '1.5 kB'],
    [20500, '20 kB'],
    [21500, '22 kB'],
    [2_147_483_648, '2.1 GB'],
  ])('sizes: %d', (bytes, text) => {
    expect(humanBytes(bytes)).toBe(text);
  });

  it('integers', () => {
    expect(parseInt64('-8000000000000000', 16)).toBe(-(2n ** 55n) * 256n);
    expect(parseUint64('ffffffffffffffff', 16)).toBe(2n ** 64n - 1n);
    expect(parseInt64Number('9223372036854775807')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => parseInt64('xyz', 16)).toThrow('strconv.ParseInt: parsing "xyz": invalid syntax');
    expect(() => parseInt64('99999999999999999999', 10)).toThrow('value out of range');
    expect(() => parseUint64('-1', 16)).toThrow('strconv.ParseUint: parsing "-1": invalid syntax');
  });

  it('JSON', () => {
    expect(goJson({ a: Buffer.from('x'), b: 2n ** 64n, c: undefined, d: ['<&>\n'] })).toBe(
      '{"a":"eA==","b":18446744073709551616,"d":["\\u003c\\u0026\\u003e\\n"]}',
    );
    const put = { response_put: { header: { revision: 22 } } };
    expect(goJson(messageJson(ResponseOp, put))).toBe('{"Response":{"response_put":{"header":{"revision":22}}}}');
  });

  it('tables', () => {
    expect(textTable({ header: ['id', 'is_leader'], rows: [['abcdef', 'true']] })).toBe(
      '+--------+-----------+\n|   ID   | IS LEADER |\n+--------+-----------+\n| abcdef |      true |\n+--------+-----------+\n',
    );
  });
});
