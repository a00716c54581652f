import { Crc32c } from '../mvcc/crc32c.ts';
import { encodeChange, encodeTombstone } from '../mvcc/key-value.ts';
import type { Change } from '../mvcc/types.ts';
import { revisionKey } from './etcd/revision-key.ts';

/** HashKV of a new store, while its rows go by: etcd's CRC-32C over its key bucket (mvcc/hash-kv.ts). */
export class RowHash {
  readonly #crc = new Crc32c();

  constructor() {
    this.#crc.update(BUCKET_NAME);
  }

  /** Rows that count, in log order. */
  add(change: Change): void {
    this.#crc.update(revisionKey(change));
    this.#crc.update(change.kind === 'delete' ? encodeTombstone(change.key) : encodeChange(change));
  }

  get value(): number {
    return this.#crc.value;
  }
}

const BUCKET_NAME = new TextEncoder().encode('key');
