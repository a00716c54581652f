import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messageFromJson, messageToJson } from '../../src/etcd/gateway/json-codec.ts';
import { parseInteger } from '../../src/etcd/gateway/json-integer.ts';
import { JsonError } from '../../src/etcd/gateway/json-reader.ts';
import { JsonSplitter } from '../../src/etcd/gateway/json-splitter.ts';
import { TxnRequest } from '../../src/etcd/messages/kv-table.ts';
import type { AnyMessage } from '../../src/etcd/messages/schema.ts';
import { anyValue, plainForm, tables } from '../etcd/message-tables.ts';

const all = [...tables.values()];

test('what is written in JSON is read back the same, of every message', () => {
  fc.assert(
    fc.property(
      fc.nat(all.length - 1).chain((which) => anyValue(all[which] as AnyMessage).map((value) => ({ which, value }))),
      ({ which, value }) => {
        const type = all[which] as AnyMessage;
        const decoded = type.decode(type.encode(value));
        const text = messageToJson(type, decoded);
        JSON.parse(text);
        expect(plainForm(type.decode(type.encode(messageFromJson(type, text))))).toEqual(plainForm(decoded));
      },
    ),
    { numRuns: 1000 },
  );
});

describe('broken JSON is a JsonError, whatever it is', () => {
  const read = (text: string): void => {
    for (const type of [TxnRequest as AnyMessage, all[0] as AnyMessage]) {
      try {
        type.encode(messageFromJson(type, text));
      } catch (error) {
        if (!(error instanceof JsonError)) throw error;
      }
    }
  };

  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\tfn0e.-+"key"compare"success ') }), read), {
      numRuns: 3000,
    });
  });

  test('any JSON', () => {
    fc.assert(fc.property(fc.json(), read), { numRuns: 1000 });
  });

  test('a good request, with a byte changed, cut or doubled', () => {
    const value = { compare: [{ key: Buffer.from('k'), target: 0, version: 5 }], success: [{ request_put: {} }] };
    const good = messageToJson(TxnRequest, TxnRequest.decode(TxnRequest.encode(value)));
    fc.assert(
      fc.property(fc.nat(good.length), fc.string({ maxLength: 2 }), fc.nat(3), (at, put, cut) =>
        read(good.slice(0, at) + put + good.slice(at + cut)),
      ),
      { numRuns: 3000 },
    );
  });

  test('nesting without end', () => {
    for (const open of ['[', '{"a":', '{"success":[{"request_txn":']) {
      expect(() => messageFromJson(TxnRequest, open.repeat(100_000))).toThrow(JsonError);
    }
    const nested = `${'{"success":[{"request_txn":'.repeat(1000)}{}${'}]}'.repeat(1000)}`;
    expect(() => messageFromJson(TxnRequest, nested)).toThrow('exceeded max depth');
  });
});

test('numbers: exact, in every spelling, within 64 bits', () => {
  const spelled = (text: string): string => String(parseInteger(text));
  expect(['0', '-0', '5.0', '5e3', '500e-2', '1.5e1', '-9223372036854775808', '9007199254740993'].map(spelled)).toEqual(
    ['0', '0', '5', '5000', '5', '15', '-9223372036854775808', '9007199254740993'],
  );
  for (const text of ['1.5', '5e-1', '007', '', ' 1', '0x1', '1e999999', '1e9999', 'NaN', '--1', '1.', '.5', '٣']) {
    expect(parseInteger(text), text).toBeUndefined();
  }
  const read = (json: string): object => messageFromJson(tables.get('RangeRequest') as AnyMessage, json);
  expect(read('{"limit":9223372036854775807}')).toEqual({ limit: 9223372036854775807n });
  expect(() => read('{"limit":9223372036854775808}')).toThrow(JsonError);
  expect(() => read('{"limit":"-9223372036854775809"}')).toThrow(JsonError);
  expect(() => read(`{"limit":${'9'.repeat(1_000_000)}}`)).toThrow(JsonError);
});

test('base64 of both alphabets, padded or not; nothing else', () => {
  const key = (text: string): Uint8Array =>
    (messageFromJson(tables.get('RangeRequest') as AnyMessage, JSON.stringify({ key: text })) as { key: Uint8Array })
      .key;
  expect([...key('-_8=')]).toEqual([...key('+/8')]);
  expect(key('')).toHaveLength(0);
  for (const text of ['a', 'ab=c', 'ab===', 'a b', 'ab\n', 'aé', '=', 'abcde'])
    expect(() => key(text), text).toThrow(JsonError);
});

test('values are cut out of a stream alike, however it comes in pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.json().map((text) => `{"a":${text}}`)), fc.array(fc.nat(20)), (values, cuts) => {
      const bytes = Buffer.from(values.join(' \n'));
      const splitter = new JsonSplitter(1_000_000);
      const found: string[] = [];
      let at = 0;
      for (const cut of cuts) {
        found.push(...(splitter.push(bytes.subarray(at, at + cut)) ?? []));
        at = Math.min(at + cut, bytes.length);
      }
      found.push(...(splitter.push(bytes.subarray(at)) ?? []));
      expect(found.map((text) => text.trim())).toEqual(values);
      expect(splitter.rest()).toBe('');
    }),
  );
  const short = new JsonSplitter(10);
  expect(short.push(Buffer.from('{"a":1}{"b":2}'))).toEqual(['{"a":1}', '{"b":2}']);
  expect(short.push(Buffer.from('{"a":"0123456789'))).toBeUndefined();
});
