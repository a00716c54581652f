import { Reader } from '../../src/base/protobuf.ts';
import type { TxnOpResult } from '../../src/mvcc/requests.ts';
import { latin1, type ModelAnswer, type Pair } from './model.ts';

/** A KeyValue message, read by the general reader, which knows nothing of how the store writes it. */
export function decodePair(bytes: Uint8Array): Pair {
  const reader = new Reader(bytes);
  const pair = { key: '', create: 0, mod: 0, version: 0, value: '', lease: 0n };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) pair.key = latin1(reader.view());
    else if (tag === 16) pair.create = reader.int64();
    else if (tag === 24) pair.mod = reader.int64();
    else if (tag === 32) pair.version = reader.int64();
    else if (tag === 42) pair.value = latin1(reader.view());
    else if (tag === 48) pair.lease = reader.int64Big();
    else throw new Error(`unknown tag ${tag}`);
  }
  return pair;
}

/** A result of the store as the model writes answers. */
export function decodeResult(result: TxnOpResult): ModelAnswer {
  switch (result.kind) {
    case 'range':
      return {
        revision: result.revision,
        count: result.count,
        more: result.more,
        pairs: result.kvs.map(decodePair),
      };
    case 'put':
      return { revision: result.revision, pairs: result.prevKv === undefined ? [] : [decodePair(result.prevKv)] };
    case 'delete':
      return { revision: result.revision, count: result.deleted, pairs: result.prevKvs.map(decodePair) };
    case 'txn':
      return {
        revision: result.revision,
        succeeded: result.succeeded,
        results: result.results.map(decodeResult),
      };
  }
}
