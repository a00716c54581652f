import { asLatin1 } from '../base/latin1-buffer.ts';
import type { KeyEntry } from './key-entry.ts';
import {
  bytesHeadLength,
  CREATE_REVISION,
  KEY,
  LEASE,
  leaseFieldLength,
  MOD_REVISION,
  numberFieldLength,
  readLease,
  readVarint,
  VALUE,
  VERSION,
} from './key-value.ts';
import type { KnownKeys } from './known-keys.ts';
import { type Change, type Key, type LeaseId, NO_LEASE, type Revision } from './types.ts';

/** A change as its KeyValue message tells it. The value is a view into the message, made when it is asked for. */
export class MessageChange implements Change {
  readonly kind: 'put' | 'delete';
  readonly key: Key;
  readonly revision: Revision;
  /** Its message does not tell: who reads a batch counts. */
  sub = 0;
  readonly createRevision: Revision;
  readonly version: number;
  readonly lease: LeaseId;
  /** Of its key, if it was known. It may have left the index since: `KeyIndex.upsert` takes care. */
  readonly entry: KeyEntry | undefined;
  readonly #bytes: Buffer;
  readonly #valueAt: number;
  readonly #valueBytes: number;

  /**
   * The message is in `bytes`, from `from` up to `to`; `hash` is its key's (hashOfBytes), of use to `known` only. Throws
   * RangeError for what `writeKeyValue` has not written.
   */
  constructor(bytes: Buffer, from: number, to: number, hash: number, known: KnownKeys | undefined) {
    const keyBytes = numberAt(bytes, from, to, KEY);
    const keyAt = from + bytesHeadLength(keyBytes);
    let at = keyAt + keyBytes;
    this.createRevision = numberAt(bytes, at, to, CREATE_REVISION);
    at += numberFieldLength(this.createRevision);
    this.revision = numberAt(bytes, at, to, MOD_REVISION);
    at += numberFieldLength(this.revision);
    this.version = numberAt(bytes, at, to, VERSION);
    at += numberFieldLength(this.version);
    this.#bytes = bytes;
    this.#valueBytes = numberAt(bytes, at, to, VALUE);
    this.#valueAt = at + bytesHeadLength(this.#valueBytes);
    at = this.#valueAt + this.#valueBytes;
    this.lease = at < to && bytes[at] === LEASE ? readLease(bytes, at + 1) : NO_LEASE;
    if (at + leaseFieldLength(this.lease) !== to) throw new RangeError('a change that is no KeyValue message');
    this.entry = known?.find(bytes, keyAt, keyAt + keyBytes, hash);
    this.key = this.entry?.key ?? asLatin1(bytes).latin1Slice(keyAt, keyAt + keyBytes);
    this.kind = this.version === 0 ? 'delete' : 'put';
  }

  get value(): Uint8Array {
    if (this.#valueBytes === 0) return NO_VALUE;
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#valueAt, this.#valueBytes);
  }
}

/** Of the field with this tag, if it is what comes next. */
function numberAt(bytes: Buffer, at: number, to: number, tag: number): number {
  return at < to && bytes[at] === tag ? readVarint(bytes, at + 1) : 0;
}

const NO_VALUE = new Uint8Array(0);
