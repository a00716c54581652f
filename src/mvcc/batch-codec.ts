import { hashOfBytes } from './key-hash.ts';
import { bytesHeadLength, KEY, keyValueLength, readVarint, writeKeyValue } from './key-value.ts';
import type { KnownKeys } from './known-keys.ts';
import type { AppendBatch, ChangeMessages } from './log.ts';
import { MessageChange } from './message-change.ts';
import { keepRead, PREFETCHED } from './prefetch.ts';
import type { Change, LeaseChange, Note, RecordChange } from './types.ts';

/*
 * A batch on its way from one replica to another: numbers little-endian, those beyond 32 bits as doubles (all are
 * exact up to 2^53), names a byte per character. Changes are the KeyValue messages (key-value.ts) as which they are
 * cached in the end, so that whoever applies them need but copy them.
 *
 *   format (2) │ expected: revision, notes, commit │ commit │ number of changes, of notes
 *              │ lengths of the messages │ messages, in log order │ notes
 *   note       kind │ after │ lease, seconds  or  name, [value]
 *
 * Bytes of notes come after their length.
 */

const FORMAT = 2;
const HEAD_BYTES = 1 + 4 * 8 + 2 * 4;
const LENGTH_BYTES = 4;
const NOTE_BYTES = 1 + 8 + 8 + 8 + 4;

/** Never renumbered. A record without a value is taken away. */
const NOTE_KINDS = ['grant', 'revoke', 'expire', 'checkpoint', 'record', 'record-gone'] as const;

/** How long it is encoded at most, in bytes. */
export function encodedBytes({ changes, notes }: AppendBatch): number {
  let bytes = HEAD_BYTES;
  for (const change of changes) bytes += LENGTH_BYTES + messageLength(change);
  for (const { change } of notes) {
    bytes += NOTE_BYTES + (change.kind === 'record' ? change.name.length + (change.value?.length ?? 0) : 0);
  }
  return bytes;
}

export function encodeBatch(batch: AppendBatch): Buffer {
  const out = Buffer.allocUnsafe(encodedBytes(batch));
  return out.subarray(0, writeBatch(out, 0, batch).end);
}

/** Where a batch was written, and the messages of its changes there. */
export interface WrittenBatch {
  readonly end: number;
  readonly messages: ChangeMessages;
}

/** At `start`, where there is room for `encodedBytes`. */
export function writeBatch(out: Buffer, start: number, batch: AppendBatch): WrittenBatch {
  const { expected, commit, changes, notes } = batch;
  let at = out.writeUInt8(FORMAT, start);
  at = out.writeDoubleLE(expected.revision, at);
  at = out.writeDoubleLE(expected.notes, at);
  at = out.writeDoubleLE(expected.commit, at);
  at = out.writeDoubleLE(commit, at);
  at = out.writeUInt32LE(changes.length, at);
  at = out.writeUInt32LE(notes.length, at);
  let lengthAt = at;
  at += changes.length * LENGTH_BYTES;
  const messagesAt = at;
  const lengths: number[] = [];
  for (const { key, createRevision, revision, version, value, lease } of changes) {
    const from = at;
    at = writeKeyValue(out, at, key, createRevision, revision, version, value, lease);
    lengths.push(at - from);
    lengthAt = out.writeUInt32LE(at - from, lengthAt);
  }
  const messages = { bytes: out.subarray(messagesAt, at), lengths };
  for (const note of notes) at = writeNote(out, at, note);
  return { end: at, messages };
}

function messageLength({ key, createRevision, revision, version, value, lease }: Change): number {
  return keyValueLength(key.length, createRevision, revision, version, value.length, lease);
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
 * values and messages are views into `bytes`. `known` saves the keys that it knows. Throws RangeError for anything else.
 */
export function decodeBatch(bytes: Buffer, known?: KnownKeys): AppendBatch {
  const reader = new Reader(bytes, known);
  const format = reader.byte();
  if (format !== FORMAT) throw new RangeError(`a batch of format ${format}, known is ${FORMAT}`);
  const expected = { revision: reader.double(), notes: reader.double(), commit: reader.double() };
  const commit = reader.double();
  const changeCount = reader.uint32();
  const noteCount = reader.uint32();
  const lengths: number[] = [];
  for (let i = 0; i < changeCount; i += 1) lengths.push(reader.uint32());
  const changes: Change[] = [];
  const from = reader.at;
  let { revision } = expected;
  let sub = 0;
  for (let i = 0; i < changeCount; i += 1) {
    if (i % PREFETCHED === 0) reader.prefetch(lengths.slice(i, i + PREFETCHED));
    const change = reader.change(lengths[i] ?? 0, i % PREFETCHED);
    if (change.revision === revision && changes.length > 0) sub += 1;
    else {
      revision += 1;
      sub = 0;
    }
    if (change.revision !== revision) throw new RangeError(`a change of ${change.revision} where ${revision} belongs`);
    change.sub = sub;
    changes.push(change);
  }
  const messages = { bytes: bytes.subarray(from, reader.at), lengths };
  const notes: Note[] = [];
  for (let i = 0; i < noteCount; i += 1) notes.push(reader.note());
  if (!reader.isAtEnd) throw new RangeError('a batch with more after its end');
  return { expected, commit, changes, notes, messages };
}

/** Reads beyond the end throw RangeErrors. */
class Reader {
  readonly #bytes: Buffer;
  readonly #known: KnownKeys | undefined;
  /** Of the keys of the changes prefetched. */
  readonly #hashes = new Int32Array(PREFETCHED);
  #at = 0;

  constructor(bytes: Buffer, known: KnownKeys | undefined) {
    this.#bytes = bytes;
    this.#known = known;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** `i`: which one of those prefetched. */
  change(length: number, i: number): MessageChange {
    const from = this.#advance(length);
    return new MessageChange(this.#bytes, from, from + length, this.#hashes[i] ?? 0, this.#known);
  }

  /** Of the next changes, so many bytes each: hashes the keys, and fetches what is known of them. */
  prefetch(lengths: readonly number[]): void {
    if (this.#known === undefined) return;
    let from = this.#at;
    for (let i = 0; i < lengths.length; i += 1) {
      const to = Math.min(from + (lengths[i] ?? 0), this.#bytes.length);
      this.#hashes[i] = hashOfKeyIn(this.#bytes, from, to);
      from = to;
    }
    let sum = 0;
    for (let i = 0; i < lengths.length; i += 1) sum ^= this.#known.prefetch(this.#hashes[i] ?? 0);
    keepRead(sum);
  }

  note(): Note {
    const kind = NOTE_KINDS[this.byte()];
    const after = this.double();
    return { after, change: this.#noteChange(kind) };
  }

  #noteChange(kind: (typeof NOTE_KINDS)[number] | undefined): LeaseChange | RecordChange {
    switch (kind) {
      case 'record':
        return { kind, name: this.#text(), value: this.#copy() };
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

  #copy(): Uint8Array {
    const length = this.uint32();
    const from = this.#advance(length);
    return new Uint8Array(this.#bytes.subarray(from, from + length));
  }

  #advance(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new RangeError('a batch that ends too early');
    this.#at = from + length;
    return from;
  }
}

/** hashOfKey of the key in a message; anything for what is none. */
function hashOfKeyIn(bytes: Buffer, from: number, to: number): number {
  const keyBytes = from < to && bytes[from] === KEY ? readVarint(bytes, from + 1) : 0;
  const keyAt = from + bytesHeadLength(keyBytes);
  return keyAt + keyBytes <= to ? hashOfBytes(bytes, keyAt, keyAt + keyBytes) : 0;
}
