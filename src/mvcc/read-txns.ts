import { invariant } from '../base/invariant.ts';
import { decide } from './decide.ts';
import { Draft } from './draft.ts';
import type { KeyIndex } from './key-index.ts';
import type { LeaseView } from './lease-book.ts';
import { Messages } from './messages.ts';
import type { Records } from './records.ts';
import type { TxnOp, TxnRequest, TxnResult } from './requests.ts';
import type { Tail } from './tail.ts';
import type { Revision } from './types.ts';
import type { ValueCache } from './value-cache.ts';
import type { LoadedMessages, ValueLoader } from './value-loader.ts';

/** Answers transactions that can write nothing, without the Writer: decided on a draft that nobody appends. */
export class ReadTxns {
  readonly #index: KeyIndex;
  readonly #cache: ValueCache;
  readonly #leases: LeaseView;
  readonly #records: Records;
  readonly #tail: Tail;
  readonly #loader: ValueLoader;
  readonly #horizon: () => Revision;

  constructor(
    index: KeyIndex,
    cache: ValueCache,
    leases: LeaseView,
    records: Records,
    tail: Tail,
    loader: ValueLoader,
    horizon: () => Revision,
  ) {
    this.#index = index;
    this.#cache = cache;
    this.#leases = leases;
    this.#records = records;
    this.#tail = tail;
    this.#loader = loader;
    this.#horizon = horizon;
  }

  /** Whether no branch of the transaction can write. */
  static accepts(request: TxnRequest): boolean {
    return onlyReads(request);
  }

  /** etcd: every operation of both branches is a serializable range. */
  static isSerializable(request: TxnRequest): boolean {
    const serializable = (op: TxnOp): boolean => op.kind === 'range' && op.serializable;
    return request.success.every(serializable) && request.failure.every(serializable);
  }

  /** Throws or rejects with StoreError. */
  txn(request: TxnRequest): TxnResult | Promise<TxnResult> {
    const loaded = this.#loader.load([{ request }]);
    return loaded instanceof Map ? this.#decide(request, loaded) : loaded.then((map) => this.#decide(request, map));
  }

  #decide(request: TxnRequest, loaded: LoadedMessages): TxnResult | Promise<TxnResult> {
    const draft = new Draft({ index: this.#index, leases: this.#leases, records: this.#records }, this.#tail.cursor, 0);
    const messages = new Messages(this.#cache, loaded);
    const result = decide(draft, request, { horizon: this.#horizon(), messages });
    invariant(result.kind === 'txn' && draft.changes.length === 0, 'a transaction that only reads has written');
    return messages.missing.length === 0 ? result : this.#loader.fill(messages.missing).then(() => result);
  }
}

function onlyReads(request: TxnRequest): boolean {
  for (const op of request.success) if (op.kind === 'txn' ? !onlyReads(op) : op.kind !== 'range') return false;
  for (const op of request.failure) if (op.kind === 'txn' ? !onlyReads(op) : op.kind !== 'range') return false;
  return true;
}
