import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BboltFile } from './file.ts';
import { BboltWriter } from './writer.ts';

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('bbolt files', () => {
  let folder = '';
  let path = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kedge-bbolt-'));
    path = join(folder, 'db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(buckets: Readonly<Record<string, readonly (readonly [string, string])[]>>): void {
    const writer = new BboltWriter(path);
    for (const [name, entries] of Object.entries(buckets)) {
      writer.begin(name);
      for (const [key, value] of entries) writer.put(Buffer.from(key, 'latin1'), Buffer.from(value, 'latin1'));
      writer.end();
    }
    writer.finish();
    writer.close();
  }

  function read(): Record<string, [string, string][]> {
    const file = new BboltFile(path);
    try {
      const found: Record<string, [string, string][]> = {};
      for (const name of file.bucketNames()) {
        const bucket = file.bucket(latin1(name));
        found[latin1(name)] = [...(bucket?.entries() ?? [])].map(({ key, value }) => [latin1(key), latin1(value)]);
      }
      return found;
    } finally {
      file.close();
    }
  }

  it('are read as they were written: empty buckets, branches of several levels, values larger than pages', () => {
    const numbered = Array.from({ length: 40_000 }, (_, i): [string, string] => [
      String(i).padStart(17, '0'),
      'x'.repeat(i % 60),
    ]);
    const buckets: Record<string, [string, string][]> = {
      alarm: [],
      key: numbered,
      large: [
        ['a', 'a'.repeat(100)],
        ['b', 'b'.repeat(3_000_000)],
        ['c', 'c'],
        ['d', 'd'.repeat(4080)],
      ],
    };
    write(buckets);
    expect(read()).toEqual(buckets);
  });

  it('are read as they were written, whatever it was', () => {
    const entry = fc.tuple(fc.string({ minLength: 1, maxLength: 300 }), fc.string({ maxLength: 9000 }));
    const entries = fc.uniqueArray(entry, { maxLength: 60, selector: ([key]) => latin1(Buffer.from(key)) });
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('key', 'lease', 'meta'), entries), (buckets) => {
        const bytes = Object.entries(buckets).map(([name, list]): [string, [string, string][]] => [
          name,
          list
            .map(([key, value]): [string, string] => [latin1(Buffer.from(key)), latin1(Buffer.from(value))])
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        ]);
        write(Object.fromEntries(bytes));
        expect(read()).toEqual(Object.fromEntries(bytes));
        rmSync(path);
      }),
      { numRuns: 60 },
    );
  });

  it('have their digest verified', async () => {
    const writer = new BboltWriter(path);
    writer.begin('key');
    writer.put(Buffer.from('a'), Buffer.from('b'));
    writer.end();
    writer.finish();
    await writer.addDigest();
    writer.close();
    const bytes = readFileSync(path);
    expect(bytes.subarray(-32)).toEqual(createHash('sha256').update(bytes.subarray(0, -32)).digest());
    const file = new BboltFile(path);
    await file.verifyDigest();
    file.close();
    bytes.writeUInt8(bytes.readUInt8(9000) ^ 1, 9000);
    writeFileSync(path, bytes);
    const changed = new BboltFile(path);
    await expect(changed.verifyDigest()).rejects.toThrow(/SHA-256 digest does not match/);
    changed.close();
  });

  it('with a broken meta page are read by the other one, with both broken refused', () => {
    write({ key: [['a', 'b']] });
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
    writeFileSync(path, bytes);
    expect(read()).toEqual({ key: [['a', 'b']] });
    bytes.writeUInt8(bytes.readUInt8(4096 + 40) ^ 1, 4096 + 40);
    writeFileSync(path, bytes);
    expect(read).toThrow(/neither of its two meta pages is whole/);
  });

  it('that are cut short are refused, wherever they end', () => {
    write({ key: Array.from({ length: 2000 }, (_, i): [string, string] => [String(i).padStart(8, '0'), 'v']) });
    const bytes = readFileSync(path);
    for (let length = 0; length < bytes.length; length += 1777) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(read).toThrow(/damaged/);
    }
  });

  it('with a cycle, a page twice or a page out of the file are refused', () => {
    const many = Array.from({ length: 20_000 }, (_, i): [string, string] => [String(i).padStart(17, '0'), 'value']);
    write({ key: many });
    const whole = readFileSync(path);
    const branches: number[] = [];
    for (let at = 8192; at < whole.length; at += 4096) if (whole.readUInt16LE(at + 8) === 1) branches.push(at);
    expect(branches.length).toBeGreaterThan(1);
    for (const target of ['self', 'sibling', 'beyond', 'meta', 'huge']) {
      const bytes = Buffer.from(whole);
      const at = branches.at(-1) ?? 0;
      const own = whole.readBigUInt64LE(at);
      const child = {
        self: own,
        sibling: whole.readBigUInt64LE(at + 16 + 16 + 8),
        beyond: BigInt(whole.length / 4096),
        meta: 0n,
        huge: 2n ** 63n,
      }[target];
      bytes.writeBigUInt64LE(child ?? 0n, at + 16 + 8);
      writeFileSync(path, bytes);
      expect(read).toThrow(/damaged .*(reached twice|is asked for|cannot be)/);
    }
  });

  it('with any bytes changed give an error or contents, never anything else', () => {
    const entries = Array.from({ length: 3000 }, (_, i): [string, string] => [String(i).padStart(9, '0'), `v${i}`]);
    write({ key: entries, lease: [['l', 'x']], meta: [['m', 'y'.repeat(9000)]] });
    const whole = readFileSync(path);
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
    let refused = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), (changes) => {
        const bytes = Buffer.from(whole);
        // Mostly where structure is: page headers and the elements behind them.
        for (const [at, byte] of changes) bytes[at % 3 === 0 ? at : at - (at % 4096) + (at % 80)] = byte;
        writeFileSync(path, bytes);
        try {
          read();
        } catch (error) {
          refused += 1;
          expect((error as Error).name).toBe('Failure');
          expect((error as Error).message).toContain('is damaged (');
        }
      }),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(50);
  });
});
