import type { Change, ChangeHead, LeaseId, Position } from '../../mvcc/types.ts';
import { NO_LEASE } from '../../mvcc/types.ts';

/*
 * Rows of the log as one ArrayBuffer, so that a batch crosses between threads by handing over the buffer.
 *
 *   ┌──────────────────────────────┬────────────────────────────────┐
 *   │ n records of 48 bytes        │ key, value, key, value, …      │
 *   └──────────────────────────────┴────────────────────────────────┘
 *   record: f64 revision · f64 createRevision · f64 version · u32 lease low, i32 lease high
 *           · u32 sub, u32 flags · u32 keyBytes, u32 valueBytes
 *
 * A batch of heads has no value bytes after the keys, but tells how many there would be.
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

/** Packs changes, keys and values included. Reads them at once. */
export function packChanges(changes: readonly Change[]): ArrayBuffer {
  let bytes = changes.length * RECORD_BYTES;
  for (const change of changes) bytes += change.key.length + change.value.length;
  const buffer = new ArrayBuffer(bytes);
  const doubles = new Float64Array(buffer, 0, changes.length * DOUBLES);
  const words = new Int32Array(buffer, 0, changes.length * WORDS);
  const text = latin1(buffer);
  let at = changes.length * RECORD_BYTES;
  for (let i = 0; i < changes.length; i++) {
    const change = changes[i] as Change;
    const { key, value } = change;
    const d = i * DOUBLES;
    const w = i * WORDS;
    doubles[d] = change.revision;
    doubles[d + 1] = change.createRevision;
    doubles[d + 2] = change.version;
    if (change.lease !== NO_LEASE) {
      words[w + LEASE_LOW] = Number(BigInt.asIntN(32, change.lease));
      words[w + LEASE_HIGH] = Number(BigInt.asIntN(32, change.lease >> 32n));
    }
    words[w + SUB] = change.sub;
    words[w + FLAGS] = change.kind === 'delete' ? DELETE : 0;
    words[w + KEY_BYTES] = key.length;
    words[w + VALUE_BYTES] = value.length;
    text.latin1Write(key, at, key.length);
    at += key.length;
    text.set(value, at);
    at += value.length;
  }
  return buffer;
}

/** Gathers rows of unknown number and size; grows by doubling. */
export class BatchPacker {
  #records: Float64Array;
  #words: Int32Array;
  #bytes: Buffer;
  #used = 0;
  #rows = 0;

  /** Room for so many rows and bytes before it has to grow. */
  constructor(rows: number, bytes: number) {
    this.#records = new Float64Array(Math.max(rows, 1) * DOUBLES);
    this.#words = new Int32Array(this.#records.buffer);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(bytes, 1));
  }

  get rows(): number {
    return this.#rows;
  }

  /** Keys and values gathered so far. */
  get bytes(): number {
    return this.#used;
  }

  /** `value`: its bytes, or only how many there are. */
  add(
    revision: number,
    sub: number,
    deleted: number,
    createRevision: number,
    version: number,
    leaseHigh: number,
    leaseLow: number,
    key: Uint8Array,
    value: Uint8Array | number,
  ): void {
    const at = this.#next();
    const words = this.#words;
    const d = at * DOUBLES;
    const w = at * WORDS;
    this.#records[d] = revision;
    this.#records[d + 1] = createRevision;
    this.#records[d + 2] = version;
    words[w + LEASE_LOW] = leaseLow | 0;
    words[w + LEASE_HIGH] = leaseHigh;
    words[w + SUB] = sub;
    words[w + FLAGS] = deleted === 0 ? 0 : DELETE;
    words[w + KEY_BYTES] = key.length;
    this.#put(key);
    if (typeof value === 'number') words[w + VALUE_BYTES] = value;
    else {
      words[w + VALUE_BYTES] = value.length;
      this.#put(value);
    }
  }

  /** A position without a row. */
  addAbsent(): void {
    this.#words[this.#next() * WORDS + FLAGS] = ABSENT;
  }

  /** Everything as one buffer; the packer is used up. */
  finish(): ArrayBuffer {
    const recordBytes = this.#rows * RECORD_BYTES;
    const out = new Uint8Array(recordBytes + this.#used);
    out.set(new Uint8Array(this.#records.buffer, 0, recordBytes));
    out.set(this.#bytes.subarray(0, this.#used), recordBytes);
    return out.buffer;
  }

  #next(): number {
    if ((this.#rows + 1) * DOUBLES > this.#records.length) {
      const grown = new Float64Array(this.#records.length * 2);
      grown.set(this.#records);
      this.#records = grown;
      this.#words = new Int32Array(grown.buffer);
    }
    return this.#rows++;
  }

  #put(bytes: Uint8Array): void {
    const end = this.#used + bytes.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#used);
    this.#used = end;
  }
}

/** Reads a packed batch. Values are views into its buffer. */
export class PackedBatch {
  readonly length: number;
  readonly #buffer: ArrayBuffer;
  readonly #doubles: Float64Array;
  readonly #words: Int32Array;
  readonly #text: Latin1Buffer;

  constructor(buffer: ArrayBuffer, rows: number) {
    this.length = rows;
    this.#buffer = buffer;
    this.#doubles = new Float64Array(buffer, 0, rows * DOUBLES);
    this.#words = new Int32Array(buffer, 0, rows * WORDS);
    this.#text = latin1(buffer);
  }

  /** Of a batch with values: every row, undefined where it is absent. */
  changes(): (Change | undefined)[] {
    const out = new Array<Change | undefined>(this.length);
    let at = this.length * RECORD_BYTES;
    for (let i = 0; i < this.length; i++) {
      const d = i * DOUBLES;
      const w = i * WORDS;
      const flags = this.#word(w + FLAGS);
      if (flags === ABSENT) {
        out[i] = undefined;
        continue;
      }
      const keyEnd = at + this.#word(w + KEY_BYTES);
      const valueBytes = this.#word(w + VALUE_BYTES);
      out[i] = {
        kind: flags === DELETE ? 'delete' : 'put',
        revision: this.#double(d),
        sub: this.#word(w + SUB),
        key: this.#text.latin1Slice(at, keyEnd),
        createRevision: this.#double(d + 1),
        version: this.#double(d + 2),
        lease: this.#lease(w),
        value: valueBytes === 0 ? NO_BYTES : new Uint8Array(this.#buffer, keyEnd, valueBytes),
      };
      at = keyEnd + valueBytes;
    }
    return out;
  }

  /** Of a batch without values. */
  heads(): ChangeHead[] {
    const out = new Array<ChangeHead>(this.length);
    let at = this.length * RECORD_BYTES;
    for (let i = 0; i < this.length; i++) {
      const d = i * DOUBLES;
      const w = i * WORDS;
      const keyEnd = at + this.#word(w + KEY_BYTES);
      out[i] = {
        kind: this.#word(w + FLAGS) === DELETE ? 'delete' : 'put',
        revision: this.#double(d),
        sub: this.#word(w + SUB),
        key: this.#text.latin1Slice(at, keyEnd),
        createRevision: this.#double(d + 1),
        version: this.#double(d + 2),
        lease: this.#lease(w),
        valueBytes: this.#word(w + VALUE_BYTES),
      };
      at = keyEnd;
    }
    return out;
  }

  /** Of a batch with values: hands every row to `visit` for writing; the byte views are valid for ever. */
  visitRows(
    visit: (
      revision: number,
      sub: number,
      deleted: number,
      createRevision: number,
      version: number,
      lease: LeaseId,
      key: Buffer,
      value: Buffer,
    ) => void,
  ): void {
    let at = this.length * RECORD_BYTES;
    for (let i = 0; i < this.length; i++) {
      const d = i * DOUBLES;
      const w = i * WORDS;
      const keyEnd = at + this.#word(w + KEY_BYTES);
      const valueEnd = keyEnd + this.#word(w + VALUE_BYTES);
      visit(
        this.#double(d),
        this.#word(w + SUB),
        this.#word(w + FLAGS),
        this.#double(d + 1),
        this.#double(d + 2),
        this.#lease(w),
        this.#text.subarray(at, keyEnd),
        this.#text.subarray(keyEnd, valueEnd),
      );
      at = valueEnd;
    }
  }

  /** The revision of the last row. */
  get lastRevision(): number {
    return this.#double((this.length - 1) * DOUBLES);
  }

  #double(at: number): number {
    return this.#doubles[at] as number;
  }

  #word(at: number): number {
    return this.#words[at] as number;
  }

  #lease(w: number): LeaseId {
    const low = this.#word(w + LEASE_LOW);
    const high = this.#word(w + LEASE_HIGH);
    if (low === 0 && high === 0) return NO_LEASE;
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
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

/** Node's direct way between bytes and keys, which its type declarations leave out (write and toString end there). */
interface Latin1Buffer extends Buffer {
  latin1Slice(from: number, to: number): string;
  latin1Write(text: string, at: number, length: number): number;
}

function latin1(buffer: ArrayBuffer): Latin1Buffer {
  return Buffer.from(buffer) as unknown as Latin1Buffer;
}
