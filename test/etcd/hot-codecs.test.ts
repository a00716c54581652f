import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtobufError, Reader, Writer } from '../../src/base/protobuf.ts';
import { HeaderCodec } from '../../src/etcd/header.ts';
import { readCompactionRequest } from '../../src/etcd/messages/compaction.ts';
import { readDeleteRequest, writeDeleteResponse } from '../../src/etcd/messages/delete-range.ts';
import * as kv from '../../src/etcd/messages/kv-table.ts';
import {
  decodeLeaseGrantRequest,
  decodeLeaseId,
  decodeLeaseTimeToLiveRequest,
  writeLeaseLeasesResponse,
  writeLeaseTimeToLiveResponse,
  writeLeaseTtlResponse,
} from '../../src/etcd/messages/lease.ts';
import * as leases from '../../src/etcd/messages/lease-table.ts';
import { readPutRequest, writePutResponse } from '../../src/etcd/messages/put.ts';
import { readRangeRequest, writeRangeResponse } from '../../src/etcd/messages/range.ts';
import type { MessageType } from '../../src/etcd/messages/schema.ts';
import { readTxnRequest, TXN_DEPTH_MAX, writeTxnResponse } from '../../src/etcd/messages/txn.ts';
import { decodeWatchRequest, eventBytes, writeEvent, writeWatchResponseHead } from '../../src/etcd/messages/watch.ts';
import * as watches from '../../src/etcd/messages/watch-table.ts';
import type { TxnOpResult, TxnResult } from '../../src/mvcc/requests.ts';
import { anyValue, plainForm } from './message-tables.ts';

const header = new HeaderCodec(2n ** 64n - 5n, 42n);

type Values = Record<string, unknown>;
const latin1 = (value: unknown): string => Buffer.from((value as Uint8Array | undefined) ?? []).toString('latin1');
const bytesOf = (value: unknown): Uint8Array => (value as Uint8Array | undefined) ?? new Uint8Array(0);
const numberOf = (value: unknown): number => (value as number | undefined) ?? 0;
const bigOf = (value: unknown): bigint => (value as bigint | undefined) ?? 0n;
const flagOf = (value: unknown): boolean => value === true;

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(1);
  write(writer);
  return writer.take();
}

/** Checks a decoder by hand against the table of its message, on any value. */
function agrees<T extends object>(
  table: MessageType<T>,
  decode: (bytes: Uint8Array) => unknown,
  expected: (value: Values) => unknown,
): void {
  fc.assert(
    fc.property(anyValue(table as MessageType<object>), (value) => {
      const found = decode(table.encode(value as Partial<T>));
      expect(plainBytes(found)).toEqual(plainBytes(expected(value)));
    }),
    { numRuns: 300 },
  );
}

/** Views of a larger buffer and arrays of their own compare alike. */
function plainBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plainBytes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, found]) => [name, plainBytes(found)]));
}

function expectedRange(value: Values): object {
  return {
    kind: 'range',
    key: latin1(value['key']),
    end: latin1(value['range_end']),
    limit: Math.max(numberOf(value['limit']), 0),
    revision: numberOf(value['revision']),
    order: ['none', 'ascend', 'descend'][numberOf(value['sort_order'])],
    target: ['key', 'version', 'create', 'mod', 'value'][numberOf(value['sort_target'])],
    serializable: flagOf(value['serializable']),
    keysOnly: flagOf(value['keys_only']),
    countOnly: flagOf(value['count_only']),
    minModRevision: numberOf(value['min_mod_revision']),
    maxModRevision: numberOf(value['max_mod_revision']),
    minCreateRevision: numberOf(value['min_create_revision']),
    maxCreateRevision: numberOf(value['max_create_revision']),
    sortKnown: true,
  };
}

function expectedPut(value: Values): object {
  return {
    kind: 'put',
    key: latin1(value['key']),
    value: bytesOf(value['value']),
    lease: bigOf(value['lease']),
    prevKv: flagOf(value['prev_kv']),
    ignoreValue: flagOf(value['ignore_value']),
    ignoreLease: flagOf(value['ignore_lease']),
  };
}

function expectedDelete(value: Values): object {
  return {
    kind: 'delete',
    key: latin1(value['key']),
    end: latin1(value['range_end']),
    prevKv: flagOf(value['prev_kv']),
  };
}

function expectedOp(value: Values): object | undefined {
  if (value['request_range'] !== undefined) return expectedRange(value['request_range'] as Values);
  if (value['request_put'] !== undefined) return expectedPut(value['request_put'] as Values);
  if (value['request_delete_range'] !== undefined) return expectedDelete(value['request_delete_range'] as Values);
  if (value['request_txn'] !== undefined) return expectedTxn(value['request_txn'] as Values);
  return undefined;
}

function expectedCompare(value: Values): object {
  const targets = [
    { kind: 'version', number: numberOf(value['version']) },
    { kind: 'create', number: numberOf(value['create_revision']) },
    { kind: 'mod', number: numberOf(value['mod_revision']) },
    { kind: 'value', value: bytesOf(value['value']) },
    { kind: 'lease', lease: bigOf(value['lease']) },
  ];
  return {
    key: latin1(value['key']),
    end: latin1(value['range_end']),
    result: ['equal', 'greater', 'less', 'not-equal'][numberOf(value['result'])],
    target: targets[numberOf(value['target'])],
  };
}

function expectedTxn(value: Values): object {
  const list = (name: string): Values[] => (value[name] as Values[] | undefined) ?? [];
  return {
    kind: 'txn',
    compare: list('compare').map(expectedCompare),
    success: list('success').map(expectedOp),
    failure: list('failure').map(expectedOp),
    tooDeep: false,
  };
}

describe('requests', () => {
  test('Range', () => agrees(kv.RangeRequest, (bytes) => readRangeRequest(new Reader(bytes)), expectedRange));
  test('Put', () => agrees(kv.PutRequest, (bytes) => readPutRequest(new Reader(bytes)), expectedPut));
  test('DeleteRange', () =>
    agrees(kv.DeleteRangeRequest, (bytes) => readDeleteRequest(new Reader(bytes)), expectedDelete));
  test('Txn', () => agrees(kv.TxnRequest, (bytes) => readTxnRequest(new Reader(bytes)), expectedTxn));
  test('Compact', () =>
    agrees(
      kv.CompactionRequest,
      (bytes) => readCompactionRequest(new Reader(bytes)),
      (value) => ({ revision: numberOf(value['revision']), physical: flagOf(value['physical']) }),
    ));
  test('LeaseGrant', () =>
    agrees(leases.LeaseGrantRequest, decodeLeaseGrantRequest, (value) => ({
      ttlSeconds: numberOf(value['TTL']),
      id: bigOf(value['ID']),
    })));
  test('LeaseRevoke and LeaseKeepAlive', () => {
    agrees(leases.LeaseRevokeRequest, decodeLeaseId, (value) => bigOf(value['ID']));
    agrees(leases.LeaseKeepAliveRequest, decodeLeaseId, (value) => bigOf(value['ID']));
  });
  test('LeaseTimeToLive', () =>
    agrees(leases.LeaseTimeToLiveRequest, decodeLeaseTimeToLiveRequest, (value) => ({
      id: bigOf(value['ID']),
      keys: flagOf(value['keys']),
    })));
  test('Watch', () =>
    agrees(watches.WatchRequest, decodeWatchRequest, (value) => {
      const create = value['create_request'] as Values | undefined;
      const cancel = value['cancel_request'] as Values | undefined;
      if (cancel !== undefined) return { kind: 'cancel', watchId: bigOf(cancel['watch_id']) };
      if (create === undefined) return { kind: value['progress_request'] === undefined ? 'nothing' : 'progress' };
      const filters = (create['filters'] as number[] | undefined) ?? [];
      return {
        kind: 'create',
        key: latin1(create['key']),
        end: latin1(create['range_end']),
        startRevision: numberOf(create['start_revision']),
        progressNotify: flagOf(create['progress_notify']),
        noPut: filters.includes(0),
        noDelete: filters.includes(1),
        prevKv: flagOf(create['prev_kv']),
        watchId: bigOf(create['watch_id']),
        fragment: flagOf(create['fragment']),
      };
    }));

  test('filters may come one by one', () => {
    expect(decodeWatchRequest(Buffer.from('0a0428002801', 'hex'))).toMatchObject({ noPut: true, noDelete: true });
  });

  test('sort orders and targets that etcd does not know are remembered for validation', () => {
    for (const hex of ['0a01612803', '0a01613005', '0a016128ffffffffffffffffff01']) {
      expect(readRangeRequest(new Reader(Buffer.from(hex, 'hex'))).sortKnown).toBe(false);
    }
  });

  test('an unknown result is always met; an unknown target is always equal', () => {
    const compare = (hex: string): unknown => readTxnRequest(new Reader(Buffer.from(hex, 'hex'))).compare[0];
    const met = { key: 'a', end: '', result: 'greater', target: { kind: 'version', number: -1 } };
    expect(compare('0a0508091a0161')).toEqual(met);
    expect(compare('0a0510091a0161')).toEqual(met);
    expect(compare('0a07080310091a0161')).toEqual({ ...met, result: 'less' });
  });

  test('transactions nested beyond all reason are not followed', () => {
    let bytes: Uint8Array = new Uint8Array(0);
    for (let i = 0; i < 20_000; i++) {
      bytes = written((writer) => {
        const op = writer.open(0x12, bytes.length + 8);
        writer.tag(0x22);
        writer.bytes(bytes);
        writer.close(op);
      });
      if (bytes.length > 400_000) break;
    }
    let txn = readTxnRequest(new Reader(bytes));
    let depth = 1;
    for (let next = txn.success[0]; next?.kind === 'txn'; next = txn.success[0]) {
      txn = next;
      depth++;
    }
    expect(depth).toBe(TXN_DEPTH_MAX + 1);
    expect(txn.tooDeep).toBe(true);
  });
});

const decoders: readonly ((bytes: Uint8Array) => unknown)[] = [
  (bytes) => readRangeRequest(new Reader(bytes)),
  (bytes) => readPutRequest(new Reader(bytes)),
  (bytes) => readDeleteRequest(new Reader(bytes)),
  (bytes) => readTxnRequest(new Reader(bytes)),
  (bytes) => readCompactionRequest(new Reader(bytes)),
  decodeWatchRequest,
  decodeLeaseGrantRequest,
  decodeLeaseId,
  decodeLeaseTimeToLiveRequest,
];

describe('bad input', () => {
  const refusesWithItsOwnError = (bytes: Uint8Array): void => {
    for (const decode of decoders) {
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtobufError);
      }
    }
  };

  test('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), refusesWithItsOwnError), { numRuns: 2000 });
  });

  test('sound messages with a byte changed or an end missing', () => {
    fc.assert(
      fc.property(
        anyValue(kv.TxnRequest as MessageType<object>),
        fc.nat(),
        fc.nat(255),
        fc.nat(),
        (value, at, to, cut) => {
          const bytes = kv.TxnRequest.encode(value as object).slice();
          if (bytes.length === 0) return;
          bytes[at % bytes.length] = to;
          refusesWithItsOwnError(bytes);
          refusesWithItsOwnError(bytes.subarray(0, cut % bytes.length));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('responses', () => {
  const kvs = anyValue(kv.KeyValue as MessageType<object>).map((value) => kv.KeyValue.encode(value));
  const revisions = fc.oneof(fc.nat(300), fc.maxSafeInteger().map(Math.abs));
  const ranges = fc.record({
    kind: fc.constant('range' as const),
    revision: revisions,
    count: revisions,
    more: fc.boolean(),
    kvs: fc.array(kvs, { maxLength: 5 }),
  });
  const puts = fc.record({
    kind: fc.constant('put' as const),
    revision: revisions,
    prevKv: fc.option(kvs, { nil: undefined }),
  });
  const deletes = fc.record({
    kind: fc.constant('delete' as const),
    revision: revisions,
    deleted: fc.nat(),
    prevKvs: fc.array(kvs, { maxLength: 5 }),
  });
  const { txn: txns } = fc.letrec<{ txn: TxnResult; op: TxnOpResult }>((tie) => ({
    txn: fc.record({
      kind: fc.constant('txn' as const),
      revision: revisions,
      succeeded: fc.boolean(),
      results: fc.array(tie('op'), { maxLength: 4 }),
    }),
    op: fc.oneof({ maxDepth: 4, withCrossShrink: true }, ranges, puts, deletes, tie('txn')),
  }));

  const wholeHeader = (revision: number): object => ({
    cluster_id: String(2n ** 64n - 5n),
    member_id: '42',
    ...(revision === 0 ? {} : { revision: String(revision) }),
    raft_term: '2',
  });
  const innerHeader = (revision: number): object => (revision === 0 ? {} : { revision: String(revision) });
  const plainKv = (bytes: Uint8Array): unknown => plainForm(kv.KeyValue.decode(bytes));
  const absent = (value: Values): object =>
    Object.fromEntries(
      Object.entries(value).filter(
        ([, found]) =>
          found !== undefined && found !== false && found !== '0' && !(Array.isArray(found) && found.length === 0),
      ),
    );

  function expectedResponse(result: TxnOpResult, header: object): object {
    switch (result.kind) {
      case 'range':
        return absent({ header, kvs: result.kvs.map(plainKv), more: result.more, count: String(result.count) });
      case 'put':
        return absent({ header, prev_kv: result.prevKv === undefined ? undefined : plainKv(result.prevKv) });
      case 'delete':
        return absent({ header, deleted: String(result.deleted), prev_kvs: result.prevKvs.map(plainKv) });
      case 'txn':
        return absent({
          header,
          succeeded: result.succeeded,
          responses: result.results.map((op) => {
            const names = {
              range: 'response_range',
              put: 'response_put',
              delete: 'response_delete_range',
              txn: 'response_txn',
            };
            return { [names[op.kind]]: expectedResponse(op, op.kind === 'txn' ? {} : innerHeader(op.revision)) };
          }),
        });
    }
  }

  test('Range', () => {
    fc.assert(
      fc.property(ranges, (result) => {
        const bytes = written((writer) => writeRangeResponse(writer, header, result));
        expect(plainForm(kv.RangeResponse.decode(bytes))).toEqual(
          expectedResponse(result, wholeHeader(result.revision)),
        );
      }),
    );
  });

  test('Put', () => {
    fc.assert(
      fc.property(puts, (result) => {
        const bytes = written((writer) => writePutResponse(writer, header, result));
        expect(plainForm(kv.PutResponse.decode(bytes))).toEqual(expectedResponse(result, wholeHeader(result.revision)));
      }),
    );
  });

  test('DeleteRange', () => {
    fc.assert(
      fc.property(deletes, (result) => {
        const bytes = written((writer) => writeDeleteResponse(writer, header, result));
        expect(plainForm(kv.DeleteRangeResponse.decode(bytes))).toEqual(
          expectedResponse(result, wholeHeader(result.revision)),
        );
      }),
    );
  });

  test('Txn', () => {
    fc.assert(
      fc.property(txns, (result) => {
        const bytes = written((writer) => writeTxnResponse(writer, header, result));
        expect(plainForm(kv.TxnResponse.decode(bytes))).toEqual(expectedResponse(result, wholeHeader(result.revision)));
      }),
    );
  });

  // Taken from etcd 3.5.30: txn of get a, put b (with prev_kv), delete c, get b, on a store at revision 3.
  test('Txn, byte for byte as etcd', () => {
    const hex = (text: string): Buffer => Buffer.from(text, 'hex');
    const etcd = new HeaderCodec(324952591200643719n, 3319814642761637952n);
    const bytes = written((writer) =>
      writeTxnResponse(writer, etcd, {
        kind: 'txn',
        revision: 4,
        succeeded: true,
        results: [
          { kind: 'range', revision: 3, count: 1, more: false, kvs: [hex('0a01611002180320022a0132')] },
          { kind: 'put', revision: 4, prevKv: undefined },
          { kind: 'delete', revision: 4, deleted: 0, prevKvs: [] },
          { kind: 'range', revision: 4, count: 1, more: false, kvs: [hex('0a01621004180420012a0178')] },
        ],
      }),
    );
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '0a180887d5edba8fd59dc10410c0c0caafc1ba96892e1804200210011a160a140a021803120c0a01611002180320022a0132' +
        '20011a0612040a0218041a061a040a0218041a160a140a021804120c0a01621004180420012a01782001',
    );
  });

  test('Watch: head and events', () => {
    const events = fc.record({
      kind: fc.constantFrom('put' as const, 'delete' as const),
      kv: kvs,
      prevKv: fc.option(kvs, { nil: undefined }),
    });
    const heads = fc.record({
      watchId: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      created: fc.boolean(),
      canceled: fc.boolean(),
      compactRevision: revisions,
      cancelReason: fc.string({ unit: 'grapheme' }),
      fragment: fc.boolean(),
    });
    fc.assert(
      fc.property(heads, revisions, fc.array(events, { maxLength: 4 }), (head, revision, list) => {
        const headBytes = written((writer) => writeWatchResponseHead(writer, header, revision, head));
        const eventParts = list.map((event) => written((writer) => writeEvent(writer, event)));
        expect(eventParts.map((part) => part.length)).toEqual(list.map(eventBytes));
        const response = watches.WatchResponse.decode(Buffer.concat([headBytes, ...eventParts]));
        expect(plainForm(response)).toEqual(
          absent({
            header: wholeHeader(revision),
            watch_id: String(head.watchId),
            created: head.created,
            canceled: head.canceled,
            compact_revision: String(head.compactRevision),
            ...(head.cancelReason === '' ? {} : { cancel_reason: head.cancelReason }),
            fragment: head.fragment,
            events: list.map((event) => ({
              ...(event.kind === 'delete' ? { type: '1' } : {}),
              kv: plainKv(event.kv),
              ...(event.prevKv === undefined ? {} : { prev_kv: plainKv(event.prevKv) }),
            })),
          }),
        );
      }),
    );
  });

  test('Lease', () => {
    const ids = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    fc.assert(
      fc.property(
        ids,
        fc.integer({ min: -1 }),
        revisions,
        fc.array(fc.uint8Array({ maxLength: 40 })),
        (id, ttl, revision, keys) => {
          const base = absent({ header: wholeHeader(revision), ID: String(id), TTL: String(ttl) });
          const granted = written((writer) => writeLeaseTtlResponse(writer, header, revision, id, ttl));
          expect(plainForm(leases.LeaseGrantResponse.decode(granted))).toEqual(base);
          expect(plainForm(leases.LeaseKeepAliveResponse.decode(granted))).toEqual(base);

          const status = { id, ttl, grantedTtl: 5, keys: keys.map((key) => Buffer.from(key).toString('latin1')) };
          const toLive = written((writer) => writeLeaseTimeToLiveResponse(writer, header, revision, id, status));
          expect(plainForm(leases.LeaseTimeToLiveResponse.decode(toLive))).toEqual(
            absent({ ...base, grantedTTL: '5', keys: keys.map((key) => Buffer.from(key).toString('hex')) }),
          );
          const gone = written((writer) => writeLeaseTimeToLiveResponse(writer, header, revision, id, undefined));
          expect(plainForm(leases.LeaseTimeToLiveResponse.decode(gone))).toEqual({ ...base, TTL: '-1' });

          const list = written((writer) => writeLeaseLeasesResponse(writer, header, revision, [id, 7n]));
          expect(plainForm(leases.LeaseLeasesResponse.decode(list))).toEqual({
            header: wholeHeader(revision),
            leases: [id === 0n ? {} : { ID: String(id) }, { ID: '7' }],
          });
        },
      ),
    );
  });
});
