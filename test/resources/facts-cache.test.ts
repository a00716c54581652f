import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CachedFacts, fileCache } from '../../src/resources/facts-cache.ts';
import { readFacts } from '../../src/resources/read-facts.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { layOutFixture } from './machine-fixture.ts';

const facts = JSON.parse(JSON.stringify(await readFacts(layOutFixture('mips-router'))));
const entry: CachedFacts = { memberId: 'a1', fetchedAtMs: Date.UTC(2026, 0, 2), jitterMs: 12345, facts };

it('keeps facts in a file of their member, for its owner alone', async () => {
  const folder = join(temporaryFolder('facts'), 'made', 'when', 'needed');
  const cache = fileCache(folder);
  expect(await cache.read('a1')).toBeUndefined();
  await cache.write(entry);
  expect(await cache.read('a1')).toEqual(entry);
  expect(await fileCache(folder).read('a1')).toEqual(entry);
  expect(await cache.read('a2')).toBeUndefined();
  expect(readdirSync(folder)).toEqual(['a1.json']);
  expect(JSON.parse(readFileSync(join(folder, 'a1.json'), 'utf8'))).toMatchObject({
    schemaVersion: 1,
    memberId: 'a1',
    fetchedAt: '2026-01-02T00:00:00.000Z',
  });
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'a1.json')).mode & 0o777).toBe(0o600);
});

it('takes a broken file for none, and writes over it', async () => {
  const folder = temporaryFolder('facts');
  const cache = fileCache(folder);
  await cache.write(entry);
  const file = join(folder, 'a1.json');
  const good = JSON.parse(readFileSync(file, 'utf8'));
  const broken: readonly (string | Buffer)[] = [
    '',
    'nonsense',
    readFileSync(file).subarray(0, 500),
    Buffer.alloc(100, 0xff),
    '[]',
    'null',
    ' '.repeat(5_000_000),
    JSON.stringify({ ...good, schemaVersion: 2 }),
    JSON.stringify({ ...good, schemaVersion: undefined }),
    JSON.stringify({ ...good, fetchedAt: 'yesterday' }),
    JSON.stringify({ ...good, jitterMs: -1 }),
    JSON.stringify({ ...good, memberId: 'b2' }),
    JSON.stringify({ ...good, facts: { ...facts, cpu: undefined } }),
    JSON.stringify({ ...good, facts: { ...facts, schemaVersion: 7 } }),
    JSON.stringify({ ...good, facts: { ...facts, disks: [{ name: 5 }] } }),
  ];
  for (const content of broken) {
    writeFileSync(file, content);
    expect(await cache.read('a1'), content.toString().slice(0, 80)).toBeUndefined();
    await cache.write(entry);
    expect(await cache.read('a1')).toEqual(entry);
  }
});

it('an id is never a path', async () => {
  const folder = join(temporaryFolder('facts'), 'inner');
  const cache = fileCache(folder);
  for (const memberId of ['../../escaped', '/etc/passwd', '.', '..', '', 'A', 'a', 'ü', 'x'.repeat(500)]) {
    await cache.write({ ...entry, memberId });
    // An id longer than text may be comes back cut, and so as another's: a miss, never a wrong answer.
    expect((await cache.read(memberId))?.memberId, memberId).toBe(memberId.length > 256 ? undefined : memberId);
  }
  expect(readdirSync(join(folder, '..'))).toEqual(['inner']);
  expect(readdirSync(folder)).toHaveLength(9);
});

it('what a crash left beside it is not read, and is written over', async () => {
  const folder = temporaryFolder('facts');
  writeFileSync(join(folder, 'a1.json.new'), '{"half');
  const cache = fileCache(folder);
  expect(await cache.read('a1')).toBeUndefined();
  await cache.write(entry);
  expect(readdirSync(folder)).toEqual(['a1.json']);
});

it('forgets the members that nobody asked about for longest', async () => {
  const folder = temporaryFolder('facts');
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < 260; i += 1) {
    writeFileSync(join(folder, `old${i}.json`), '{}');
    utimesSync(join(folder, `old${i}.json`), 1000 + i, 1000 + i);
  }
  await fileCache(folder).write(entry);
  const left = readdirSync(folder);
  expect(left).toHaveLength(256);
  expect(left).toContain('a1.json');
  expect(left).not.toContain('old4.json');
  expect(left).toContain('old5.json');
});
