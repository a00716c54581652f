import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBatch, encodeBatch, encodedBytes } from './batch-codec.ts';
import { entryOf } from './decided-change.ts';
import { KeyIndex } from './key-index.ts';
import { encodeChange } from './key-value.ts';
import { KnownKeys } from './known-keys.ts';
import { type AppendBatch, cursorAfter } from './log.ts';
import type { Change, Note } from './types.ts';

const safe = fc.nat(Number.MAX_SAFE_INTEGER);
const bytes = fc.uint8Array({ maxLength: 30 });
const key = bytes.map((each) => String.fromCharCode(...each));
const id = fc.oneof(fc.constantFrom(1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n));

/** Of the same transaction as the one before. */
const goesOn = fc.boolean();
const change = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    key,
    createRevision: safe,
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    lease: fc.oneof(fc.constant(0n), id),
    value: bytes,
    goesOn,
  }),
  fc.record({
    kind: fc.constant('delete' as const),
    key,
    createRevision: fc.constant(0),
    version: fc.constant(0),
    lease: fc.constant(0n),
    value: fc.constant(new Uint8Array(0)),
    goesOn,
  }),
);

const noteChange: fc.Arbitrary<Note['change']> = fc.oneof(
  fc.record({ kind: fc.constant('grant' as const), id, ttl: safe }),
  fc.record({ kind: fc.constantFrom('revoke' as const, 'expire' as const), id }),
  fc.record({ kind: fc.constant('checkpoint' as const), id, remainingTtl: safe }),
  fc.record({ kind: fc.constant('record' as const), name: key, value: fc.option(bytes, { nil: undefined }) }),
);

const batch: fc.Arbitrary<AppendBatch> = fc
  .record({
    expected: fc.record({ revision: fc.nat(2 ** 52), notes: safe, commit: safe }),
    commit: safe,
    changes: fc.array(change, { maxLength: 12 }),
    notes: fc.array(fc.record({ after: safe, change: noteChange }), { maxLength: 6 }),
  })
  .map((made) => ({ ...made, changes: inOrder(made.expected.revision, made.changes) }));

function inOrder(head: number, changes: readonly (Omit<Change, 'revision' | 'sub'> & { goesOn: boolean })[]): Change[] {
  let revision = head;
  let sub = 0;
  return changes.map(({ goesOn, ...rest }, i) => {
    if (goesOn && i > 0) sub += 1;
    else {
      revision += 1;
      sub = 0;
    }
    return { ...rest, revision, sub };
  });
}

function plain({ kind, key, revision, sub, createRevision, version, lease, value }: Change): Change {
  return { kind, key, revision, sub, createRevision, version, lease, value };
}

describe('a batch between replicas', () => {
  it('arrives as it was sent', () => {
    fc.assert(
      fc.property(batch, (sent) => {
        const encoded = encodeBatch(sent);
        expect(encoded.length).toBeLessThanOrEqual(encodedBytes(sent));
        const { messages, changes, ...rest } = decodeBatch(encoded);
        expect({ ...rest, changes: changes.map(plain) }).toEqual(sent);
        // As each change would be cached.
        const each = sent.changes.map(encodeChange);
        expect(messages?.lengths).toEqual(each.map(({ length }) => length));
        expect(Buffer.from(messages?.bytes ?? [])).toEqual(Buffer.concat(each));
      }),
    );
  });

  it('arrives the same where its keys are known', () => {
    fc.assert(
      fc.property(batch, (sent) => {
        const index = new KeyIndex();
        for (const { key, version } of sent.changes) if (version % 2 === 1) index.upsert(key);
        const { changes } = decodeBatch(encodeBatch(sent), new KnownKeys(index));
        expect(changes.map(plain)).toEqual(sent.changes);
        expect(changes.map(entryOf)).toEqual(sent.changes.map(({ key }) => index.get(key)));
      }),
    );
  });

  it('is refused when anything is missing or left over', () => {
    fc.assert(
      fc.property(batch, fc.nat(), (sent, at) => {
        const encoded = encodeBatch(sent);
        expect(() => decodeBatch(encoded.subarray(0, at % encoded.length))).toThrow(RangeError);
        expect(() => decodeBatch(Buffer.concat([encoded, Buffer.of(0)]))).toThrow(RangeError);
      }),
    );
  });

  it('is not read beyond its end for a key that claims to be there', () => {
    const put = { key: 'k', revision: 8, sub: 0, createRevision: 8, version: 1, lease: 0n, value: Buffer.from('v') };
    const expected = { revision: 7, notes: 0, commit: 11 };
    const encoded = encodeBatch({ expected, commit: 12, changes: [{ kind: 'put', ...put }], notes: [] });
    const lengthAt = 1 + 4 * 8 + 2 * 4;
    const keyLengthAt = lengthAt + 4 + 1;
    // Four billion bytes, of a key of two billions.
    encoded.writeUInt32LE(0xff_ff_ff_ff, lengthAt);
    encoded.set([0xff, 0xff, 0xff, 0xff, 0x07], keyLengthAt);
    // Reading on would take half a minute.
    expect(() => decodeBatch(encoded, new KnownKeys(new KeyIndex()))).toThrow(RangeError);
  });

  it('is refused, or whole and in order, whatever bytes come', () => {
    fc.assert(
      fc.property(batch, fc.nat(), fc.nat(255), (sent, at, byte) => {
        const encoded = encodeBatch(sent);
        encoded[at % encoded.length] = byte;
        const index = new KeyIndex();
        for (const { key } of sent.changes) index.upsert(key);
        let decoded: AppendBatch;
        try {
          decoded = decodeBatch(encoded, new KnownKeys(index));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        const places = decoded.changes.map(({ revision, sub }) => ({ revision, sub }));
        let before = { revision: decoded.expected.revision, sub: Number.POSITIVE_INFINITY };
        for (const place of places) {
          const follows =
            (place.revision === before.revision + 1 && place.sub === 0) ||
            (place.revision === before.revision && place.sub === before.sub + 1);
          expect(follows).toBe(true);
          before = place;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('tells where the log is after it', () => {
    const expected = { revision: 7, notes: 3, commit: 11 };
    expect(cursorAfter({ expected, commit: 12, changes: [], notes: [] })).toEqual({ ...expected, commit: 12 });
    const note: Note = { after: 7, change: { kind: 'revoke', id: 1n } };
    const [put] = inOrder(7, [
      { kind: 'put', key: 'a', createRevision: 8, version: 1, lease: 0n, value: Buffer.of(1), goesOn: false },
    ]);
    const changes = put === undefined ? [] : [put];
    expect(cursorAfter({ expected, commit: 12, changes, notes: [note] })).toEqual({
      revision: 8,
      notes: 4,
      commit: 12,
    });
  });
});
