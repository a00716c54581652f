import { asLatin1, type Latin1Buffer } from '../../base/latin1-buffer.ts';
import type { Change, ChangeHead, Key, LeaseId, Position } from '../../mvcc/types.ts';
import { NO_LEASE } from '../../mvcc/types.ts';

/*
 * Rows of the log as one ArrayBuffer, so that a batch crosses between threads by handing over the buffer.
 *
 *   ┌────────────────────────┬──────────────────┬────────────────────┐
 *   │ n records of 48 bytes  │ key, key, key, … │ value, value, …    │
 *   └────────────────────────┴──────────────────┴────────────────────┘
 *   record: f64 revision · f64 createRevision · f64 version · i32 lease low, i32 lease high
 *           · u32 sub, u32 flags · u32 keyBytes, u32 valueBytes
 *
 * A batch of heads ends after the keys, but tells how many value bytes there would be. An absent row has no bytes.
 */

const RECORD_BYTES = 48;
const DOUBLES = RECORD_BYTES / 8;
const WORDS = RECORD_BYTES / 4;

/** Offsets in 32-bit words from a record's start. */
const LEASE_LOW = 6;
const LEASE_HIGH = 7;
const SUB = 8;
const FLAGS = 9;
const KEY_BYTES = 10;
const VALUE_BYTES = 11;

const DELETE = 1;
const ABSENT = 2;

const NO_BYTES = new Uint8Array(0);

/** The numbers of a batch's rows: what PackedBatch and those who fill one share. */
export class Records {
  /** How many there is room for. */
  readonly length: number;
  readonly #doubles: Float64Array;
  readonly #words: Int32Array;

  constructor(buffer: ArrayBufferLike, length: number) {
    this.length = length;
    this.#doubles = new Float64Array(buffer, 0, length * DOUBLES);
    this.#words = new Int32Array(buffer, 0, length * WORDS);
  }

  set(
    row: number,
    revision: number,
    sub: number,
    deleted: boolean,
    createRevision: number,
    version: number,
    lease: LeaseId,
    keyBytes: number,
    valueBytes: number,
  ): void {
    const d = row * DOUBLES;
    const w = row * WORDS;
    this.#doubles[d] = revision;
    this.#doubles[d + 1] = createRevision;
    this.#doubles[d + 2] = version;
    // Zeros too: the buffer may have served another batch before.
    this.#words[w + LEASE_LOW] = lease === NO_LEASE ? 0 : Number(BigInt.asIntN(32, lease));
    this.#words[w + LEASE_HIGH] = lease === NO_LEASE ? 0 : Number(BigInt.asIntN(32, lease >> 32n));
    this.#words[w + SUB] = sub;
    this.#words[w + FLAGS] = deleted ? DELETE : 0;
    this.#words[w + KEY_BYTES] = keyBytes;
    this.#words[w + VALUE_BYTES] = valueBytes;
  }

  setAbsent(row: number): void {
    this.#words[row * WORDS + FLAGS] = ABSENT;
  }

  revision(row: number): number {
    return this.#doubles[row * DOUBLES] as number;
  }

  createRevision(row: number): number {
    return this.#doubles[row * DOUBLES + 1] as number;
  }

  version(row: number): number {
    return this.#doubles[row * DOUBLES + 2] as number;
  }

  lease(row: number): LeaseId {
    const low = this.#words[row * WORDS + LEASE_LOW] as number;
    const high = this.#words[row * WORDS + LEASE_HIGH] as number;
    if (low === 0 && high === 0) return NO_LEASE;
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  sub(row: number): number {
    return this.#words[row * WORDS + SUB] as number;
  }

  isDelete(row: number): boolean {
    return this.#words[row * WORDS + FLAGS] === DELETE;
  }

  isAbsent(row: number): boolean {
    return this.#words[row * WORDS + FLAGS] === ABSENT;
  }

  keyBytes(row: number): number {
    return this.#words[row * WORDS + KEY_BYTES] as number;
  }

  valueBytes(row: number): number {
    return this.#words[row * WORDS + VALUE_BYTES] as number;
  }
}

/** How long a batch of these changes is. */
export function packedBytes(changes: readonly Change[]): number {
  let bytes = changes.length * RECORD_BYTES;
  for (const change of changes) bytes += change.key.length + change.value.length;
  return bytes;
}

/** Packs changes, keys and values included, into a buffer that has room for their `packedBytes`. Reads them at once. */
export function packChanges(changes: readonly Change[], buffer: ArrayBufferLike): void {
  let keyAt = changes.length * RECORD_BYTES;
  let valueAt = keyAt;
  for (const change of changes) valueAt += change.key.length;
  const records = new Records(buffer, changes.length);
  const out = asLatin1(Buffer.from(buffer));
  for (let i = 0; i < changes.length; i++) {
    const change = changes[i] as Change;
    const { key, value } = change;
    records.set(
      i,
      change.revision,
      change.sub,
      change.kind === 'delete',
      change.createRevision,
      change.version,
      change.lease,
      key.length,
      value.length,
    );
    out.latin1Write(key, keyAt, key.length);
    keyAt += key.length;
    out.set(value, valueAt);
    valueAt += value.length;
  }
}

/** Joins the parts of a batch: its rows' records (one buffer or several), all keys, all values. */
export function packParts(parts: readonly (Uint8Array | ArrayBuffer)[]): ArrayBuffer {
  let at = 0;
  for (const part of parts) at += part.byteLength;
  const out = new Uint8Array(at);
  at = 0;
  for (const part of parts) {
    out.set(part instanceof ArrayBuffer ? new Uint8Array(part) : part, at);
    at += part.byteLength;
  }
  return out.buffer;
}

/** How long the Records of so many rows are. */
export function recordsBytes(rows: number): number {
  return rows * RECORD_BYTES;
}

/** Reads a packed batch from its first row to its last. Values are views into its buffer. */
export class PackedBatch {
  readonly records: Records;
  readonly #buffer: ArrayBufferLike;
  readonly #bytes: Latin1Buffer;

  constructor(buffer: ArrayBufferLike, rows: number) {
    this.records = new Records(buffer, rows);
    this.#buffer = buffer;
    this.#bytes = asLatin1(Buffer.from(buffer));
  }

  /** Of a batch with values: every row, undefined where it is absent. */
  changes(): (Change | undefined)[] {
    const { records } = this;
    const out = new Array<Change | undefined>(records.length);
    const cursor = this.cursor();
    for (let i = 0; i < records.length; i++) {
      if (records.isAbsent(i)) {
        out[i] = undefined;
        continue;
      }
      const { keyAt, valueAt } = cursor;
      cursor.pass(i);
      const valueBytes = records.valueBytes(i);
      out[i] = {
        kind: records.isDelete(i) ? 'delete' : 'put',
        revision: records.revision(i),
        sub: records.sub(i),
        key: this.key(keyAt, cursor.keyAt),
        createRevision: records.createRevision(i),
        version: records.version(i),
        lease: records.lease(i),
        value: valueBytes === 0 ? NO_BYTES : new Uint8Array(this.#buffer, valueAt, valueBytes),
      };
    }
    return out;
  }

  /** Of a batch without values. */
  heads(): ChangeHead[] {
    const { records } = this;
    const out = new Array<ChangeHead>(records.length);
    let at = records.length * RECORD_BYTES;
    for (let i = 0; i < records.length; i++) {
      const from = at;
      at += records.keyBytes(i);
      out[i] = {
        kind: records.isDelete(i) ? 'delete' : 'put',
        revision: records.revision(i),
        sub: records.sub(i),
        key: this.key(from, at),
        createRevision: records.createRevision(i),
        version: records.version(i),
        lease: records.lease(i),
        valueBytes: records.valueBytes(i),
      };
    }
    return out;
  }

  /** Walks the bytes of a batch with values. */
  cursor(): ByteCursor {
    return new ByteCursor(this.records);
  }

  key(from: number, to: number): Key {
    return this.#bytes.latin1Slice(from, to);
  }

  /** A view. */
  bytes(from: number, to: number): Uint8Array {
    return new Uint8Array(this.#buffer, from, to - from);
  }
}

/** Where the next row's key and value begin. */
export class ByteCursor {
  readonly #records: Records;
  keyAt: number;
  valueAt: number;

  constructor(records: Records) {
    this.#records = records;
    this.keyAt = records.length * RECORD_BYTES;
    this.valueAt = this.keyAt;
    for (let i = 0; i < records.length; i++) this.valueAt += records.keyBytes(i);
  }

  /** Goes past this row. */
  pass(row: number): void {
    this.keyAt += this.#records.keyBytes(row);
    this.valueAt += this.#records.valueBytes(row);
  }
}

/** Positions as pairs of numbers: revision, sub, revision, sub, … */
export function packPositions(positions: readonly Position[]): Float64Array<ArrayBuffer> {
  const out = new Float64Array(positions.length * 2);
  for (let i = 0; i < positions.length; i++) {
    const position = positions[i] as Position;
    out[i * 2] = position.revision;
    out[i * 2 + 1] = position.sub;
  }
  return out;
}
