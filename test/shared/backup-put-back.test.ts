import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import type { ServerProcess } from '../support/server-process.ts';

/*
 * Nobody runs while a backup of the database is put back: what a replica has seen stands in its data folder, and whoever
 * starts with more than there is takes the revision beyond. A new folder knows of nothing, and changes nothing.
 */
describe.skipIf(!hasPostgres())('a backup put back while kedge is stopped', () => {
  const closing: (() => Promise<unknown> | undefined)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function stage() {
    const server = await PostgresServer.start();
    const dataDir = mkdtempSync(join(tmpdir(), 'kedge-seen-'));
    closing.push(async () => rmSync(dataDir, { recursive: true, force: true }));
    closing.push(() => server.dispose());
    const database = server.freshDatabase();
    const start = async (folder: string): Promise<ServerProcess> => {
      const kedge = await startKedge({ dataDir: folder, args: [`--store=${server.url(database)}`] });
      closing.push(() => kedge.kill());
      return kedge;
    };
    return { server, database, dataDir, start };
  }

  async function put(kedge: ServerProcess, count: number): Promise<number> {
    const client = new EtcdClient(kedge.endpoint);
    let revision = 0;
    for (let i = 0; i < count; i += 1) {
      const { header } = await client.call('KV/Put', { key: Buffer.from('k'), value: Buffer.from(String(i)) });
      revision = Number(header?.revision);
    }
    client.close();
    return revision;
  }

  async function firstAnswers(kedge: ServerProcess, from: number): Promise<string> {
    const client = new EtcdClient(kedge.endpoint);
    const stream = client.stream('Watch/Watch');
    stream.send({ create_request: { key: Buffer.from('k'), start_revision: from } });
    await stream.take();
    const { canceled, compact_revision, events } = await stream.take();
    client.close();
    return canceled ? `compacted at ${compact_revision}` : events.map(({ kv }) => kv?.mod_revision).join();
  }

  it('is noticed by whoever has seen more: revisions go on far beyond, and nobody goes on from what was lost', async () => {
    const { server, database, dataDir, start } = await stage();
    const before = await start(dataDir);
    await put(before, 3);
    await before.stop();
    await server.query(`CREATE DATABASE backup TEMPLATE ${database}`);
    const again = await start(dataDir);
    expect(await put(again, 5)).toBe(9);
    await again.stop();
    await server.query(`DROP DATABASE ${database}`);
    await server.query(`ALTER DATABASE backup RENAME TO ${database}`);

    const unknowing = await start(join(dataDir, 'another'));
    expect(await put(unknowing, 1)).toBe(5);
    await unknowing.stop();
    const knowing = await start(dataDir);
    expect(knowing.output).toContain('the database lacks revisions that were seen here');
    expect(await put(knowing, 1)).toBe(2_000_001);
    for (const lost of [6, 10, 1_999_999]) expect(await firstAnswers(knowing, lost)).toBe('compacted at 2000000');
    expect(await firstAnswers(knowing, 2_000_000)).toBe('2000001');

    // Once: what is there now is what was seen.
    await knowing.stop();
    const later = await start(dataDir);
    expect(later.output).not.toContain('lacks revisions');
    expect(await put(later, 1)).toBe(2_000_002);
  }, 120_000);

  it('is not looked for in a file that is broken, or of another store', async () => {
    const { dataDir, start } = await stage();
    const file = join(dataDir, 'seen-revision.json');
    for (const text of [
      '',
      '{',
      '[]',
      '{"version":1,"cluster":"0000000000000001","revision":99}',
      '{"revision":"9"}',
    ]) {
      writeFileSync(file, text);
      const kedge = await start(dataDir);
      expect(await put(kedge, 1)).toBeLessThan(20);
      await kedge.stop();
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1, revision: expect.any(Number) });
    }
  }, 120_000);
});
