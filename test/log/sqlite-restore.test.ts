import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { restoreSqlite } from '../../src/log/sqlite/restore.ts';
import type { Log } from '../../src/mvcc/log.ts';
import { put } from '../contract/changes.ts';
import { batchOf } from '../support/append-batch.ts';

describe('restoring an SQLite snapshot', () => {
  let folder = '';
  let log: Log;
  let to = '';
  let snapshotFile = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-restore-'));
    to = join(folder, 'restored', 'kedge.db');
    snapshotFile = join(folder, 'snapshot.db');
    log = logFor(`sqlite://${folder}/kedge.db`);
    await log.open();
    const changes = Array.from({ length: 500 }, (_, i) => put(2 + i, 0, `key${i}`, 'x'.repeat(1_000)));
    await log.append(batchOf(1, changes, [{ kind: 'grant', id: 5n, ttl: 60 }]));
    await log.compact(100);
    await log.alarm('nospace', true);
  });
  afterEach(async () => {
    await log.close();
    await rm(folder, { recursive: true });
  });

  async function takeSnapshot(): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await log.snapshot()).chunks) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  function sha256(bytes: Uint8Array): Buffer {
    return createHash('sha256').update(bytes).digest();
  }

  it('makes a store that is the same, with its digest verified', async () => {
    const bytes = await takeSnapshot();
    await writeFile(snapshotFile, Buffer.concat([bytes, sha256(bytes)]));
    const progress: number[] = [];
    const restored = await restoreSqlite({ snapshotFile, to, onProgress: (done) => progress.push(done) });
    expect(restored).toEqual({ bytes: bytes.length, revision: 501, digestVerified: true });
    expect(progress.at(-1)).toBe(bytes.length);
    expect((await readdir(join(folder, 'restored'))).filter((name) => name.includes('restoring'))).toEqual([]);

    await log.close();
    const states = [];
    for (const file of [`${folder}/kedge.db`, to]) {
      const each = logFor(`sqlite://${file}?check=full`);
      states.push(await each.open());
      expect(await each.changes(1, 1e9)).toHaveLength(500);
      const head = 501;
      expect(await each.append(batchOf(head, [put(head + 1, 0, 'a', '')]))).toEqual({
        kind: 'committed',
      });
      await each.close();
    }
    expect(states[1]).toEqual(states[0]);
  });

  it('takes a snapshot without a digest', async () => {
    await writeFile(snapshotFile, await takeSnapshot());
    expect(await restoreSqlite({ snapshotFile, to })).toMatchObject({ revision: 501, digestVerified: false });
  });

  it('refuses to overwrite', async () => {
    await writeFile(snapshotFile, await takeSnapshot());
    await restoreSqlite({ snapshotFile, to });
    await expect(restoreSqlite({ snapshotFile, to })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('already there'),
    });
    await expect(restoreSqlite({ snapshotFile, to: `${folder}/kedge.db` })).rejects.toMatchObject({ code: 'refused' });
  });

  it('tells a snapshot that was changed on its way, and leaves nothing', async () => {
    const bytes = await takeSnapshot();
    const digest = sha256(bytes);
    bytes.writeUInt8((bytes.at(5_000) ?? 0) ^ 1, 5_000);
    await writeFile(snapshotFile, Buffer.concat([bytes, digest]));
    await expect(restoreSqlite({ snapshotFile, to })).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('SHA-256'),
    });
    expect(existsSync(to)).toBe(false);
  });

  it('tells a snapshot that is cut short, and one that is another file', async () => {
    const bytes = await takeSnapshot();
    await writeFile(snapshotFile, bytes.subarray(0, bytes.length - 8192 * 2));
    await expect(restoreSqlite({ snapshotFile, to })).rejects.toMatchObject({ code: 'corrupt' });
    await writeFile(snapshotFile, 'x'.repeat(1_000));
    await expect(restoreSqlite({ snapshotFile, to })).rejects.toMatchObject({ code: 'corrupt' });
    const foreign = new Database(join(folder, 'foreign.db'));
    foreign.exec('CREATE TABLE a (b)');
    foreign.close();
    await expect(restoreSqlite({ snapshotFile: join(folder, 'foreign.db'), to })).rejects.toMatchObject({
      code: 'refused',
    });
    await expect(restoreSqlite({ snapshotFile: join(folder, 'missing.db'), to })).rejects.toMatchObject({
      name: 'LogError',
    });
    expect(existsSync(to)).toBe(false);
  });

  it('leaves no copy behind when a snapshot is broken off', async () => {
    for await (const _ of (await log.snapshot()).chunks) break;
    expect((await readdir(folder)).filter((name) => name.includes('snapshot'))).toEqual([]);
  });
});
