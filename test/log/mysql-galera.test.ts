import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { LogError } from '../../src/mvcc/log.ts';
import type { Cursor } from '../../src/mvcc/types.ts';
import { put } from '../contract/changes.ts';
import { logContract } from '../contract/log-contract.ts';
import { batchAt, sharedContract } from '../contract/shared-contract.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { type GaleraPair, startGaleraPair } from '../support/galera.ts';
import { hasGalera } from '../support/mariadb.ts';

describe.skipIf(!hasGalera())('on two nodes of a real Galera cluster', () => {
  let pair: GaleraPair;
  beforeAll(async () => {
    pair = await startGaleraPair();
  }, 240_000);
  afterAll(() => pair.dispose());

  /** Each log of a store on the other node than the one before. */
  async function create() {
    const [a, b] = pair.nodes;
    const database = a.freshDatabase();
    let opened = 0;
    return {
      log: () => new MysqlLog(parseMysqlUrl((opened++ % 2 === 0 ? a : b).url(database))),
      dispose: async () => {},
    };
  }

  logContract('two Galera nodes', create);
  sharedContract('two Galera nodes', create);

  it('is a cluster of two', async () => {
    for (const node of pair.nodes) {
      expect(await node.query("SHOW STATUS LIKE 'wsrep_cluster_size'")).toEqual([['wsrep_cluster_size', '2']]);
    }
  });

  it('keeps one order when both nodes are written to, and each reads what the other wrote', async () => {
    const [a, b] = pair.nodes;
    const database = a.freshDatabase();
    const logs = [a, b, a, b].map((node) => new MysqlLog(parseMysqlUrl(node.url(database))));
    const states = await Promise.all(logs.map((log) => log.open()));
    expect(new Set(states.map((state) => state.clusterId)).size).toBe(1);
    const committed: string[] = [];
    let moved = 0;
    const write = async (log: MysqlLog, writer: number, from: Cursor): Promise<void> => {
      let cursor = from;
      for (let done = 0; done < 25; ) {
        const commit = writer * 1_000_000 + done * 1_000 + moved + 1;
        const revision = cursor.revision + 1;
        const key = `w${writer}.${done}`;
        const result = await log.append({ expected: cursor, commit, changes: [put(revision, 0, key, key)], notes: [] });
        if (result.kind === 'committed') {
          committed.push(`${revision} ${key}`);
          done += 1;
          cursor = { revision, notes: 0, commit };
        } else {
          expect(result.kind).toBe('moved');
          moved += 1;
          const news = await log.news(cursor, 1e6);
          if (news.kind !== 'news') throw new Error(news.kind);
          cursor = news.cursor;
        }
      }
    };
    await Promise.all(logs.map((log, i) => write(log, i + 1, states[i]?.cursor as Cursor)));
    const stories = await Promise.all(
      logs.map(async (log) => (await log.changes(1, 1e9)).map(({ revision, key }) => `${revision} ${key}`)),
    );
    expect(committed).toHaveLength(100);
    expect(moved).toBeGreaterThan(0);
    expect([...committed].sort()).toEqual([...(stories[0] ?? [])].sort());
    for (const story of stories) expect(story).toEqual(stories[0]);
    expect(stories[0]?.map((line) => Number(line.split(' ')[0]))).toEqual(Array.from({ length: 100 }, (_, i) => i + 2));
    for (const log of logs) await log.close();
  });

  it('goes on when a node leaves, with what was answered there', async () => {
    const [a, b] = pair.nodes;
    const database = a.freshDatabase();
    const both = `mysql://root@127.0.0.1:${a.port},127.0.0.1:${b.port}/${database}?pool_wait=2s&statement_timeout=5s`;
    const logs = [new MysqlLog(parseMysqlUrl(both)), new MysqlLog(parseMysqlUrl(b.url(database)))] as const;
    try {
      let at = (await logs[0].open()).cursor;
      await logs[1].open();
      const append = async (log: MysqlLog, value: string): Promise<void> => {
        for (let attempt = 0; ; attempt += 1) {
          const batch = batchAt(at, [put(at.revision + 1, 0, 'k', value)]);
          const result = await log.append(batch).catch((error: LogError) => error);
          if (result instanceof LogError && attempt < 100) {
            const isThere = result.code === 'ambiguous' && (await log.settle(batch).catch(() => undefined));
            if (isThere !== true) {
              await new Promise((resolve) => setTimeout(resolve, 100));
              const news = await log.news(at, 1e6).catch(() => undefined);
              if (news?.kind === 'news') at = news.cursor;
              continue;
            }
          } else expect(result).toEqual({ kind: 'committed' });
          at = cursorAfter(batch);
          return;
        }
      };
      await append(logs[0], 'on a');
      await a.stop();
      await append(logs[0], 'moved on to b');
      await append(logs[1], 'on b');
      const values = (await logs[0].changes(0, 1e6)).map(({ value }) => Buffer.from(value).toString());
      expect(values).toEqual(['on a', 'moved on to b', 'on b']);
    } finally {
      for (const log of logs) await log.close();
    }
  });
});
