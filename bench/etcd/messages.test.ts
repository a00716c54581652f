import { expect, it } from 'vitest';
import { Call, type Message } from '../http2/call.ts';
import type { Connection } from '../http2/connection.ts';
import { keyOf, rangeBegin, rangeEnd } from './keyspace.ts';
import { GetMessage, ListMessage, PutMessage, TxnMessage } from './messages.ts';
import { FieldReader } from './protobuf.ts';

function written(message: Message, key: number, revision = 0): Buffer {
  // Messages look only at the call's notes, never at its connection.
  const call = new Call(undefined as unknown as Connection, 0);
  call.key = key;
  call.revision = revision;
  const out = Buffer.alloc(message.bytesMax + 3);
  const end = message.write(call, out, 3);
  expect(end).toBeLessThanOrEqual(3 + message.bytesMax);
  return out.subarray(3, end);
}

/** A message's fields; those named in `numbers` as numbers, all others as bytes. */
function fieldsOf(bytes: Buffer, numbers: readonly number[] = []): Map<number, Buffer | number> {
  const fields = new Map<number, Buffer | number>();
  const reader = new FieldReader().over(bytes, 0, bytes.length);
  while (reader.next()) {
    const isNumber = numbers.includes(reader.field);
    fields.set(reader.field, isNumber ? reader.value : bytes.subarray(reader.from, reader.to));
  }
  return fields;
}

it('put and get name their key', () => {
  expect(fieldsOf(written(new PutMessage(512), 12_345_678)).get(1)).toEqual(keyOf(12_345_678));
  expect([...fieldsOf(written(new GetMessage(), 0))]).toEqual([[1, keyOf(0)]]);
});

it('a list begins with the prefix and goes on behind the last key at the pinned revision', () => {
  const list = new ListMessage(500);
  expect([...fieldsOf(written(list, 0), [3])]).toEqual([
    [1, rangeBegin],
    [2, rangeEnd],
    [3, 500],
  ]);
  expect([...fieldsOf(written(list, 500, 70_000), [3, 4])]).toEqual([
    [1, Buffer.concat([keyOf(499), Buffer.from([0])])],
    [2, rangeEnd],
    [3, 500],
    [4, 70_000],
  ]);
});

it.each([0, 1, 127, 128, 16_384, 2 ** 40])(
  'a txn compares with revision %d, else puts or ranges the same key',
  (revision) => {
    const txn = fieldsOf(written(new TxnMessage(512), 42, revision));
    expect([...txn.keys()]).toEqual([1, 2, 3]);
    expect([...fieldsOf(txn.get(1) as Buffer, [2, 6])]).toEqual([
      [2, 2],
      [3, keyOf(42)],
      [6, revision],
    ]);
    const put = fieldsOf(txn.get(2) as Buffer).get(2) as Buffer;
    expect(fieldsOf(put).get(1)).toEqual(keyOf(42));
    const range = fieldsOf(txn.get(3) as Buffer).get(1) as Buffer;
    expect([...fieldsOf(range)]).toEqual([[1, keyOf(42)]]);
  },
);
