import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOfKey } from './key-hash.ts';
import { KeyIndex } from './key-index.ts';
import { KnownKeys } from './known-keys.ts';

const text = fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\x80', '\xff'), maxLength: 3 });
const step = fc.record({ what: fc.constantFrom('put', 'put', 'find', 'find', 'delete', 'compact'), key: text });

test('finds what the index has, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), text, text, (steps, before, after) => {
      const index = new KeyIndex();
      const known = new KnownKeys(index);
      let revision = 1;
      const write = (key: string, version: number): void => {
        revision += 1;
        index.change(index.upsert(key), revision, 0, version === 0 ? 0 : revision, version, 0n);
      };
      for (const { what, key } of steps) {
        if (what === 'put') write(key, 1);
        else if (what === 'delete' && (index.get(key)?.version ?? 0) > 0) write(key, 0);
        else if (what === 'compact') index.takeSuperseded(revision + 1, 1000, []);
        const bytes = Buffer.from(before + key + after, 'latin1');
        const found = known.find(bytes, before.length, before.length + key.length, hashOfKey(key));
        expect(found).toBe(index.get(key));
      }
    }),
    { numRuns: 500 },
  );
});

test('many more keys than it remembers', () => {
  const index = new KeyIndex();
  const known = new KnownKeys(index);
  const keys = Array.from({ length: 200_000 }, (_, i) => `/registry/${i}`);
  for (const key of keys) index.change(index.upsert(key), 2, 0, 2, 1, 0n);
  for (let round = 0; round < 2; round += 1) {
    const strays = keys.filter((key) => known.find(Buffer.from(key), 0, key.length, hashOfKey(key)) !== index.get(key));
    expect(strays).toEqual([]);
  }
});
