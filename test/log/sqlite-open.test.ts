import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import type { Log } from '../../src/mvcc/log.ts';
import { put } from '../contract/changes.ts';
import { batchOf } from '../support/append-batch.ts';
import { Appender } from './child.ts';

describe('opening an SQLite store', { timeout: 180_000 }, () => {
  let folder = '';
  let file = '';
  let url = '';
  const logs: Log[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-open-'));
    file = join(folder, 'kedge.db');
    url = `sqlite://${file}`;
  });
  afterEach(async () => {
    for (const log of logs.splice(0)) await log.close();
    await rm(folder, { recursive: true });
  });

  function logAt(storeUrl: string): Log {
    const log = logFor(storeUrl);
    logs.push(log);
    return log;
  }

  /** A closed store of about 2 MiB. */
  async function filled(): Promise<void> {
    const log = logAt(url);
    await log.open();
    const changes = Array.from({ length: 1_000 }, (_, i) => put(2, i, `key${i}`, 'x'.repeat(2_000)));
    await log.append(batchOf(1, changes));
    await log.close();
  }

  it('makes the folder, and leaves no write-ahead log behind when closed', async () => {
    const log = logAt(`sqlite://${folder}/a/b/kedge.db`);
    await log.open();
    await log.append(batchOf(1, [put(2, 0, 'a', '')]));
    await log.close();
    expect(existsSync(join(folder, 'a/b/kedge.db'))).toBe(true);
    expect(existsSync(join(folder, 'a/b/kedge.db-wal'))).toBe(false);
    expect(existsSync(join(folder, 'a/b/kedge.db.owner'))).toBe(false);
  });

  it('refuses a second opener in the same process by pid', async () => {
    await logAt(url).open();
    await expect(logAt(url).open()).rejects.toMatchObject({
      code: 'refused',
      message: `${file} is in use by process ${process.pid} on ${hostname()}: stop it, or choose another file with --store`,
    });
  });

  it('refuses a second process by pid, and takes over when the first is killed', async () => {
    const appender = new Appender(url, 1);
    try {
      await appender.until((told) => told.committed !== undefined);
      await expect(logAt(url).open()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining(`in use by process ${appender.process.pid} on`),
      });
    } finally {
      await appender.kill();
    }
    expect(existsSync(`${file}.owner`)).toBe(true);
    expect((await logAt(url).open()).cursor.revision).toBeGreaterThan(1);
  });

  it('is not kept out by a stale owner whose pid lives on in another process', async () => {
    await writeFile(`${file}.owner`, JSON.stringify({ pid: process.ppid, host: hostname() }));
    await writeFile(`${file}.lock`, '');
    await logAt(url).open();
    expect(JSON.parse(await readFile(`${file}.owner`, 'utf8'))).toMatchObject({ pid: process.pid });
  });

  it('refuses a newer schema and names versions and remedy', async () => {
    await filled();
    const db = new Database(file);
    db.pragma('user_version = 7');
    db.close();
    await expect(logAt(url).open()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/kedge\.db has schema version 7, this kedge knows up to 2: run the newer kedge/),
    });
  });

  it('refuses a database of another program and leaves it as it is', async () => {
    const db = new Database(file);
    db.exec('CREATE TABLE kine (id INTEGER PRIMARY KEY)');
    db.close();
    const before = await readFile(file);
    await expect(logAt(url).open()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('a database of another program'),
    });
    expect(Buffer.compare(before, await readFile(file))).toBe(0);
  });

  it('tells a file that is no database', async () => {
    await writeFile(file, 'not a database, but a letter to a friend, and rather a long one at that; '.repeat(20));
    await expect(logAt(url).open()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(file) });
  });

  it('tells a truncated file and the remedy', async () => {
    await filled();
    await truncate(file, (await stat(file)).size - 8192 * 3);
    await expect(logAt(url).open()).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/bytes long where its header says .* restore a snapshot/),
    });
  });

  it('tells damaged pages: at open with check=quick, else when they are read', async () => {
    await filled();
    const handle = await open(file, 'r+');
    await handle.write(Buffer.alloc(8192 * 40, 0xa5), 0, 8192 * 40, 8192 * 100);
    await handle.close();
    const damaged = { code: 'corrupt', message: expect.stringContaining(file) };
    await expect(logAt(`${url}?check=quick`).open()).rejects.toMatchObject(damaged);
    const log = logAt(`${url}?check=off`);
    const read = async () => {
      await log.open();
      await log.load(() => {});
    };
    await expect(read()).rejects.toMatchObject(damaged);
  });

  it('opens again after a refused open', async () => {
    await writeFile(file, 'x'.repeat(200));
    await expect(logAt(url).open()).rejects.toMatchObject({ code: 'corrupt' });
    await rm(file);
    expect((await logAt(url).open()).cursor.revision).toBe(1);
  });

  it('may be loaded in any number of rows', async () => {
    const log = logAt(`${url}?synchronous=normal`);
    await log.open();
    const total = Number(process.env['KEDGE_LOAD_ROWS'] ?? 100_000);
    for (let head = 1; head < total + 1; head += 10_000) {
      const changes = Array.from({ length: 10_000 }, (_, i) => put(head + 1 + i, 0, `key${head + i}`, 'x'.repeat(512)));
      await log.append(batchOf(head, changes));
    }
    await log.close();
    const next = logAt(url);
    expect(await next.open()).toMatchObject({ cursor: { revision: total + 1 }, rows: total });
    let seen = 1;
    await next.load((rows) => {
      for (const row of rows) if (row.revision === seen + 1 && row.key === `key${seen}`) seen++;
    });
    expect(seen).toBe(total + 1);
  });
});
