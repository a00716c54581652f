import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyHistory, type KeyVersion } from './key-history.ts';

/** What comes next to a key: most often another put, in a revision of its own. */
const step = fc.record({
  what: fc.constantFrom('put', 'put', 'put', 'put', 'delete', 'odd'),
  gap: fc.constantFrom(0, 1, 1, 7),
  lease: fc.constantFrom(0n, 0n, 0n, 5n),
  taken: fc.constantFrom(0, 0, 1, 2),
});

function versionsOf(steps: readonly { what: string; gap: number; lease: bigint }[]): KeyVersion[] {
  const versions: KeyVersion[] = [];
  for (const { what, gap, lease } of steps) {
    const last = versions.at(-1);
    const revision = (last?.revision ?? 1) + gap;
    const sub = last?.revision === revision ? last.sub + 1 : 0;
    const lives = last !== undefined && last.version > 0;
    const createRevision = what === 'delete' ? 0 : lives ? last.createRevision : revision;
    // `odd`: as no log tells it. It is kept as it is.
    const version = what === 'delete' ? 0 : what === 'odd' ? 12 : (last?.version ?? 0) + 1;
    versions.push({ key: 'k', revision, sub, createRevision, version, lease });
  }
  return versions;
}

test('tells what a list of the versions tells, while they come and go', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
      const [first, ...rest] = versionsOf(steps);
      if (first === undefined) return;
      const history = new KeyHistory(first);
      const expected = [first];
      rest.forEach((version, i) => {
        history.push(version);
        expected.push(version);
        for (let taken = steps[i]?.taken ?? 0; taken > 0 && expected.length > 1; taken -= 1) {
          history.shift();
          expected.shift();
        }
        expect(history.size).toBe(expected.length);
      });
      for (const [place, version] of expected.entries()) {
        expect(history.at('k', place)).toEqual(version);
        expect(history.versionAt(place)).toBe(version.version);
        expect([history.revisionAt(place), history.subAt(place)]).toEqual([version.revision, version.sub]);
        const before = expected.findLastIndex(
          ({ revision, sub }) => revision < version.revision || (revision === version.revision && sub < version.sub),
        );
        expect(history.findBefore(version.revision, version.sub)).toBe(before);
      }
      for (let revision = 0; revision <= (expected.at(-1)?.revision ?? 0) + 1; revision += 1) {
        expect(history.find(revision)).toBe(expected.findLastIndex((version) => version.revision <= revision));
      }
      while (history.size > 1) {
        history.shift();
        expected.shift();
        expect(history.at('k', 0)).toEqual(expected[0]);
      }
    }),
    { numRuns: 2000 },
  );
});
