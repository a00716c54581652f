import { describe, expect, test } from 'vitest';
import { ProtobufError } from '../../src/base/protobuf.ts';
import { toStatusError } from '../../src/etcd/errors.ts';
import { areMemberUrls } from '../../src/etcd/member-urls.ts';
import type { RangeRequestMessage } from '../../src/etcd/messages/range.ts';
import type { TxnOpMessage, TxnRequestMessage } from '../../src/etcd/messages/txn.ts';
import {
  checkDelete,
  checkPut,
  checkRange,
  checkRangeStream,
  checkSize,
  checkTxn,
  isReadOnly,
} from '../../src/etcd/validate-request.ts';
import {
  type Compare,
  type DeleteRequest,
  type PutRequest,
  StoreError,
  type TxnRequest,
} from '../../src/mvcc/requests.ts';
import { Status, StatusError } from '../../src/wire/grpc.ts';

const put = (key: string, fields: Partial<PutRequest> = {}): PutRequest => ({
  kind: 'put',
  key,
  value: Buffer.from('v'),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
  ...fields,
});
const del = (key: string, end = ''): DeleteRequest => ({ kind: 'delete', key, end, prevKv: false });
const get = (key: string, fields: Partial<RangeRequestMessage> = {}): RangeRequestMessage => ({
  kind: 'range',
  key,
  end: '',
  revision: 0,
  limit: 0,
  order: 'none',
  target: 'key',
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
  serializable: false,
  sortKnown: true,
  ...fields,
});
const txn = (success: readonly TxnOpMessage[], failure: readonly TxnOpMessage[] = []): TxnRequestMessage => ({
  kind: 'txn',
  compare: [],
  success,
  failure,
  tooDeep: false,
});
const puts = (count: number): PutRequest[] => Array.from({ length: count }, (_, i) => put(`key${i}`));
const nest = (depth: number): TxnRequestMessage => (depth === 1 ? txn([]) : txn([nest(depth - 1)]));
const compareOf = (key: string): Compare => ({ key, end: '', result: 'equal', target: { kind: 'mod', number: 0 } });

/** The text of the refusal; 'ok' when there is none. */
function said(check: () => void): string {
  try {
    check();
    return 'ok';
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

const OPS_MAX = 128;
const saidOfTxn = (request: TxnRequestMessage): string =>
  said(() => {
    const checked: TxnRequestMessage = request;
    checkTxn(checked, OPS_MAX);
  });

const emptyKey = '3 etcdserver: key is not provided';
const tooMany = '3 etcdserver: too many operations in txn request';
const duplicate = '3 etcdserver: duplicate key given in txn request';

describe('single requests', () => {
  test.each<[string, () => void, string]>([
    ['get without a key', () => checkRange(get('')), emptyKey],
    ['get with an odd sorting', () => checkRange(get('a', { sortKnown: false })), '3 etcdserver: invalid sort option'],
    ['get without a key and with an odd sorting', () => checkRange(get('', { sortKnown: false })), emptyKey],
    ['put without a key', () => checkPut(put('')), emptyKey],
    ['put with a value to ignore', () => checkPut(put('a', { ignoreValue: true })), '3 etcdserver: value is provided'],
    ['put with no value to ignore', () => checkPut(put('a', { ignoreValue: true, value: new Uint8Array() })), 'ok'],
    [
      'put with a lease to ignore',
      () => checkPut(put('a', { ignoreLease: true, lease: 1n })),
      '3 etcdserver: lease is provided',
    ],
    ['put with no lease to ignore', () => checkPut(put('a', { ignoreLease: true })), 'ok'],
    ['delete without a key', () => checkDelete(del('', 'x')), emptyKey],
    [
      'stream in descending order',
      () => checkRangeStream(get('a', { order: 'descend' })),
      '12 RangeStream does not support custom sort orders',
    ],
    [
      'stream by version',
      () => checkRangeStream(get('a', { order: 'ascend', target: 'version' })),
      '12 RangeStream does not support custom sort orders',
    ],
    ['stream in ascending order of keys', () => checkRangeStream(get('a', { order: 'ascend' })), 'ok'],
    [
      'stream with a filter',
      () => checkRangeStream(get('a', { minModRevision: -1 })),
      '12 RangeStream does not support revision filters',
    ],
    ['stream without a key', () => checkRangeStream(get('', { order: 'descend' })), emptyKey],
    ['a request of the largest size', () => checkSize(1.5 * 2 ** 20 - 17, 1.5 * 2 ** 20), 'ok'],
    ['a request too large', () => checkSize(1.5 * 2 ** 20 - 16, 1.5 * 2 ** 20), '3 etcdserver: request is too large'],
  ])('%s', (_, check, expected) => {
    expect(said(check)).toBe(expected);
  });
});

// The expected answers were given by etcd 3.5.30.
describe('transactions', () => {
  test.each<[string, TxnRequestMessage, string]>([
    ['nothing', txn([]), 'ok'],
    ['an operation that is none', txn([get('a'), undefined]), '3 etcdserver: key not found'],
    ['an operation that is none in the other branch', txn([put('a')], [undefined]), '3 etcdserver: key not found'],
    ['a put without a key', txn([put('')]), emptyKey],
    ['a compare without a key', { ...txn([]), compare: [compareOf('')] }, emptyKey],
    ['an empty key before an operation that is none', txn([put(''), undefined]), emptyKey],
    ['128 operations', txn(puts(128)), 'ok'],
    ['129 operations', txn(puts(129)), tooMany],
    ['129 operations in the other branch, one without a key', txn([put('')], puts(129)), tooMany],
    ['129 compares', { ...txn([]), compare: Array.from({ length: 129 }, () => compareOf('a')) }, tooMany],
    ['127 operations, one of them a transaction of one', txn([...puts(126), txn([put('x')])]), 'ok'],
    ['127 operations, one of them a transaction of two', txn([...puts(126), txn([put('x'), put('y')])]), tooMany],
    ['129 levels', nest(129), 'ok'],
    ['130 levels', nest(130), tooMany],
    ['levels that were not read', txn([{ ...txn([]), tooDeep: true }]), tooMany],

    ['put a, put a', txn([put('a'), put('a')]), duplicate],
    ['delete a, put a', txn([del('a'), put('a')]), duplicate],
    ['put a, delete a', txn([put('a'), del('a')]), duplicate],
    ['delete [a, c), put b', txn([del('a', 'c'), put('b')]), duplicate],
    ['delete [a, c), put c', txn([del('a', 'c'), put('c')]), 'ok'],
    ['delete [a, c), delete [b, e), put d', txn([del('a', 'c'), del('b', 'e'), put('d')]), duplicate],
    ['delete [a, z), delete [b, c), put x', txn([del('a', 'z'), del('b', 'c'), put('x')]), duplicate],
    ['delete from a on, put b', txn([del('a', '\0'), put('b')]), 'ok'],
    ['delete from a on, put a', txn([del('a', '\0'), put('a')]), 'ok'],
    ['delete everything, put a', txn([del('\0', '\0'), put('a')]), 'ok'],
    ['delete [c, a), put b', txn([del('c', 'a'), put('b')]), 'ok'],
    ['delete [c, a), put c', txn([del('c', 'a'), put('c')]), 'ok'],
    ['delete [a, a), put a', txn([del('a', 'a'), put('a')]), 'ok'],
    ['delete a, delete a', txn([del('a'), del('a')]), 'ok'],
    ['put a in either branch', txn([put('a')], [put('a')]), 'ok'],
    ['put a twice in the other branch', txn([put('a')], [put('a'), put('a')]), duplicate],
    ['get a, put a', txn([get('a'), put('a')]), 'ok'],

    ['nested: put a in either branch', txn([txn([put('a')], [put('a')])]), 'ok'],
    ['nested put a, put a', txn([txn([put('a')]), put('a')]), duplicate],
    ['nested put a in the other branch, put a', txn([txn([], [put('a')]), put('a')]), duplicate],
    ['nested put a, nested put a', txn([txn([put('a')]), txn([put('a')])]), duplicate],
    ['nested put a, then put b or a', txn([txn([put('a')], [put('a')]), txn([put('b')], [put('a')])]), duplicate],
    ['nested delete a, put a', txn([txn([del('a')]), put('a')]), duplicate],
    ['nested delete a, or put a', txn([txn([del('a')], [put('a')])]), 'ok'],
    ['nested put a, nested delete a', txn([txn([put('a')]), txn([del('a')])]), 'ok'],
    ['nested delete a, nested put a', txn([txn([del('a')]), txn([put('a')])]), duplicate],
    ['nested delete everything, put a', txn([txn([del('\0', '\0')]), put('a')]), 'ok'],
    ['delete from a on, nested put b', txn([del('a', '\0'), txn([put('b')])]), 'ok'],
    ['delete [a, c), nested put b', txn([del('a', 'c'), txn([put('b')])]), duplicate],
    ['nested put a within nested, put a', txn([txn([txn([put('a')])]), put('a')]), duplicate],
    ['a single nested transaction that puts a twice', txn([txn([put('a'), put('a')])]), duplicate],
  ])('%s', (_, request, expected) => {
    expect(saidOfTxn(request)).toBe(expected);
  });

  test('only those whose operations are all gets are read-only', () => {
    const readOnly = (request: TxnRequestMessage): boolean => isReadOnly(request as TxnRequest);
    expect(readOnly(txn([]))).toBe(true);
    expect(readOnly(txn([get('a')], [get('b')]))).toBe(true);
    expect(readOnly(txn([get('a')], [put('b')]))).toBe(false);
    expect(readOnly(txn([txn([])]))).toBe(false);
  });
});

describe('errors', () => {
  test.each<[unknown, string]>([
    [new StoreError('compacted'), '11 etcdserver: mvcc: required revision has been compacted'],
    [new StoreError('future-revision'), '11 etcdserver: mvcc: required revision is a future revision'],
    [new StoreError('key-not-found'), '3 etcdserver: key not found'],
    [new StoreError('lease-not-found'), '5 etcdserver: requested lease not found'],
    [new StoreError('lease-exists'), '9 etcdserver: lease already exists'],
    [new StoreError('lease-ttl-too-large'), '11 etcdserver: too large lease TTL'],
    [new StoreError('no-space'), '8 etcdserver: mvcc: database space exceeded'],
    [new StoreError('too-many-requests'), '8 etcdserver: too many requests'],
    [new StoreError('txn-too-large'), '3 etcdserver: request is too large'],
    [new StoreError('stopped'), '14 etcdserver: server stopped'],
    [new StoreError('corrupt'), '15 etcdserver: corrupt cluster'],
    [new StoreError('unavailable', 'disk full'), '14 kedge: disk full'],
    [new StoreError('ambiguous', 'lost'), '2 kedge: lost'],
    [
      new ProtobufError('message ends too early'),
      '13 grpc: error unmarshalling request: proto: message ends too early',
    ],
    [new StatusError(Status.aborted, 'as it is'), '10 as it is'],
  ])('%s', (error, expected) => {
    const { code, message } = toStatusError(error);
    expect(`${code} ${message}`).toBe(expected);
  });

  test('what nobody expects goes on as it is', () => {
    const defect = new TypeError('x is not a function');
    expect(() => toStatusError(defect)).toThrow(defect);
  });
});

test.each<[readonly string[], boolean]>([
  [[], false],
  [['http://1.2.3.4:80'], true],
  [[' http://1.2.3.4:80 '], true],
  [['https://host:2380', 'http://[::1]:2380'], true],
  [['HTTP://1.2.3.4:80'], true],
  [['http://1.2.3.4'], false],
  [['http://1.2.3.4:80/'], false],
  [['http://1.2.3.4:80/x'], false],
  [['http://[::1]:x'], false],
  [['ftp://1.2.3.4:80'], false],
  [['unix://x', 'unixs://x:1/y'], true],
  [['xx'], false],
  [['http://1.2.3.4:80', 'xx'], false],
])('%j as peer URLs: %s', (urls, sound) => {
  expect(areMemberUrls(urls)).toBe(sound);
});
