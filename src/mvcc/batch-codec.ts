import type { AppendBatch } from './log.ts';
import type { Change, LeaseChange, Note, RecordChange } from './types.ts';
import { NO_LEASE } from './types.ts';

/*
 * A batch on its way from one replica to another: numbers little-endian, those beyond 32 bits as doubles (all are
 * exact up to 2^53), keys and names a byte per character.
 *
 *   format (1) │ expected: revision, notes, commit │ commit │ number of changes, of notes │ changes │ notes
 *   change     flags │ revision │ sub │ createRevision │ version │ [lease] │ key │ value
 *   note       kind │ after │ lease, seconds  or  name, [value]
 *
 * Bytes come after their length.
 */

const FORMAT = 1;
const HEAD_BYTES = 1 + 4 * 8 + 2 * 4;
const CHANGE_BYTES = 1 + 8 + 4 + 8 + 8 + 4 + 4;
const LEASE_BYTES = 8;
const NOTE_BYTES = 1 + 8 + 8 + 8 + 4;

/** Flags of a change. */
const IS_DELETE = 1;
const HAS_LEASE = 2;

/** Never renumbered. A record without a value is taken away. */
const NOTE_KINDS = ['grant', 'revoke', 'expire', 'checkpoint', 'record', 'record-gone'] as const;

const NO_BYTES = new Uint8Array(0);

/** How long `encodeBatch` would make it at most, in bytes. */
export function encodedBytes({ changes, notes }: AppendBatch): number {
  let bytes = HEAD_BYTES;
  for (const { key, value, lease } of changes) {
    bytes += CHANGE_BYTES + key.length + value.length + (lease === NO_LEASE ? 0 : LEASE_BYTES);
  }
  for (const { change } of notes) {
    bytes += NOTE_BYTES + (change.kind === 'record' ? change.name.length + (change.value?.length ?? 0) : 0);
  }
  return bytes;
}

export function encodeBatch(batch: AppendBatch): Buffer {
  const { expected, commit, changes, notes } = batch;
  const out = Buffer.allocUnsafe(encodedBytes(batch));
  let at = out.writeUInt8(FORMAT, 0);
  at = out.writeDoubleLE(expected.revision, at);
  at = out.writeDoubleLE(expected.notes, at);
  at = out.writeDoubleLE(expected.commit, at);
  at = out.writeDoubleLE(commit, at);
  at = out.writeUInt32LE(changes.length, at);
  at = out.writeUInt32LE(notes.length, at);
  for (const { kind, revision, sub, createRevision, version, lease, key, value } of changes) {
    const hasLease = lease !== NO_LEASE;
    out[at] = (kind === 'delete' ? IS_DELETE : 0) | (hasLease ? HAS_LEASE : 0);
    at = out.writeDoubleLE(revision, at + 1);
    at = out.writeUInt32LE(sub, at);
    at = out.writeDoubleLE(createRevision, at);
    at = out.writeDoubleLE(version, at);
    if (hasLease) at = out.writeBigInt64LE(lease, at);
    at = out.writeUInt32LE(key.length, at);
    at += out.write(key, at, 'latin1');
    at = out.writeUInt32LE(value.length, at);
    out.set(value, at);
    at += value.length;
  }
  for (const note of notes) at = writeNote(out, at, note);
  return out.subarray(0, at);
}

function writeNote(out: Buffer, start: number, { after, change }: Note): number {
  const kind = change.kind === 'record' && change.value === undefined ? 'record-gone' : change.kind;
  let at = out.writeUInt8(NOTE_KINDS.indexOf(kind), start);
  at = out.writeDoubleLE(after, at);
  if (change.kind !== 'record') {
    at = out.writeBigInt64LE(change.id, at);
    const seconds = change.kind === 'grant' ? change.ttl : change.kind === 'checkpoint' ? change.remainingTtl : 0;
    return out.writeDoubleLE(seconds, at);
  }
  at = out.writeUInt32LE(change.name.length, at);
  at += out.write(change.name, at, 'latin1');
  if (change.value === undefined) return at;
  at = out.writeUInt32LE(change.value.length, at);
  out.set(change.value, at);
  return at + change.value.length;
}

/**
 * What it answers is whole: revisions and subs without a gap from the expected ones on. Keys and records are its own,
 * values are views into `bytes`. Throws RangeError for anything else.
 */
export function decodeBatch(bytes: Buffer): AppendBatch {
  const reader = new Reader(bytes);
  const format = reader.byte();
  if (format !== FORMAT) throw new RangeError(`a batch of format ${format}, known is ${FORMAT}`);
  const expected = { revision: reader.double(), notes: reader.double(), commit: reader.double() };
  const commit = reader.double();
  const changeCount = reader.uint32();
  const noteCount = reader.uint32();
  const changes: Change[] = [];
  const notes: Note[] = [];
  let { revision } = expected;
  let sub = 0;
  for (let i = 0; i < changeCount; i += 1) {
    const change = reader.change();
    if (change.revision === revision && i > 0) sub += 1;
    else {
      revision += 1;
      sub = 0;
    }
    if (change.revision !== revision || change.sub !== sub) {
      throw new RangeError(`a batch with ${change.revision}/${change.sub} where ${revision}/${sub} belongs`);
    }
    changes.push(change);
  }
  for (let i = 0; i < noteCount; i += 1) notes.push(reader.note());
  if (!reader.isAtEnd) throw new RangeError('a batch with more after its end');
  return { expected, commit, changes, notes };
}

/** Reads beyond the end throw RangeErrors. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  change(): Change {
    const flags = this.byte();
    const revision = this.double();
    const sub = this.uint32();
    const createRevision = this.double();
    const version = this.double();
    const lease = (flags & HAS_LEASE) === 0 ? NO_LEASE : this.#int64();
    const key = this.#text();
    const value = this.#view();
    return {
      kind: (flags & IS_DELETE) === 0 ? 'put' : 'delete',
      revision,
      sub,
      key,
      createRevision,
      version,
      lease,
      value,
    };
  }

  note(): Note {
    const kind = NOTE_KINDS[this.byte()];
    const after = this.double();
    return { after, change: this.#noteChange(kind) };
  }

  #noteChange(kind: (typeof NOTE_KINDS)[number] | undefined): LeaseChange | RecordChange {
    switch (kind) {
      case 'record':
        return { kind, name: this.#text(), value: this.#view().slice() };
      case 'record-gone':
        return { kind: 'record', name: this.#text(), value: undefined };
      case 'grant':
        return { kind, id: this.#int64(), ttl: this.double() };
      case 'checkpoint':
        return { kind, id: this.#int64(), remainingTtl: this.double() };
      case 'revoke':
      case 'expire': {
        const id = this.#int64();
        this.double();
        return { kind, id };
      }
      case undefined:
        throw new RangeError('a batch with a note of an unknown kind');
    }
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#advance(8));
  }

  #int64(): bigint {
    return this.#bytes.readBigInt64LE(this.#advance(8));
  }

  #text(): string {
    const length = this.uint32();
    const from = this.#advance(length);
    return this.#bytes.toString('latin1', from, from + length);
  }

  #view(): Uint8Array {
    const length = this.uint32();
    const from = this.#advance(length);
    if (length === 0) return NO_BYTES;
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + from, length);
  }

  #advance(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new RangeError('a batch that ends too early');
    this.#at = from + length;
    return from;
  }
}
