import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { logFor } from '../../src/log/engines.ts';
import { SYSTEM_CONTEXT } from '../../src/log/shared/engine-context.ts';
import { restoreSqlite } from '../../src/log/sqlite/restore.ts';
import { isShared, type LogState, type SharedLog } from '../../src/mvcc/log.ts';
import { put } from '../contract/changes.ts';
import { batchAt } from '../contract/shared-contract.ts';
import { SHARED_ENGINES, type SharedServer } from '../contract/shared-engines.ts';
import { cursorAfter } from '../support/commit-chain.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** What opening a store in a database means on every engine; what is an engine's own stands in its own tests. */
describe.each(SHARED_ENGINES)('opening a store in $name', ({ isThere, start }) => {
  let server: SharedServer;
  const closing: SharedLog[] = [];
  beforeAll(async () => {
    if (isThere) server = await start();
  });
  afterAll(async () => {
    if (isThere) await server.dispose();
  });
  afterEach(async () => {
    for (const log of closing.splice(0)) await log.close();
  });

  function logOf(url: string, context = SYSTEM_CONTEXT): SharedLog {
    const log = logFor(url, context);
    if (!isShared(log)) throw new Error(`${url} is not shared`);
    closing.push(log);
    return log;
  }

  it.skipIf(!isThere)('makes database and tables once, whoever comes first', async () => {
    const url = server.freshUrl();
    const states = await Promise.all(Array.from({ length: 5 }, () => logOf(url).open()));
    for (const state of states) expect(state).toEqual(states[0]);
  });

  it.skipIf(!isThere)('ends soon when nobody is there', async () => {
    const log = logOf(server.urlAt(await freePort(), '?pool_wait=200ms'));
    await expect(log.open()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.skipIf(!isThere)('warns of clocks that differ', async () => {
    const url = server.freshUrl();
    for (const [differenceMs, text] of [
      [180_000, 'behind'],
      [-180_000, 'ahead of'],
    ] as const) {
      const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + differenceMs };
      const log = logOf(url, { ...SYSTEM_CONTEXT, clock });
      await log.open();
      expect((await log.health()).warnings).toEqual([
        expect.stringMatching(new RegExp(`clock is 180 s ${text} ours: .* NTP`)),
      ]);
    }
  });

  it.skipIf(!isThere)('gives a snapshot that the embedded engine restores', async () => {
    const url = server.freshUrl();
    const log = logOf(url);
    const first = await log.open();
    const changes = Array.from({ length: 1_500 }, (_, i) => put(2 + i, 0, `key ${i}`, `value ${i}`));
    const batch = batchAt(first.cursor, changes, [
      { kind: 'grant', id: -5n, ttl: 60 },
      { kind: 'record', name: 'auth/\xff', value: new Uint8Array([0, 255]) },
    ]);
    await log.append(batch);
    await log.compact(7);
    await log.sweep([{ revision: 3, sub: 0 }], 7);
    await log.alarm('nospace', true);
    const folder = temporaryFolder('snapshot');
    const file = join(folder, 'snapshot.db');
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await log.snapshot()).chunks) chunks.push(chunk);
    writeFileSync(file, Buffer.concat(chunks));
    const to = join(folder, 'restored.db');
    await restoreSqlite({ snapshotFile: file, to });
    const restored = logFor(`sqlite://${to}`);
    const { cursor, rows, ...state } = await restored.open();
    const expected: LogState = await logOf(url).open();
    expect(state).toEqual({
      horizon: expected.horizon,
      leases: expected.leases,
      records: expected.records,
      alarms: expected.alarms,
      clusterId: expected.clusterId,
      memberId: expected.memberId,
    });
    expect(cursor.revision).toBe(cursorAfter(batch).revision);
    expect(rows).toBe(1_499);
    expect(await restored.changes(0, 1e9)).toEqual(await log.changes(0, 1e9));
    await restored.close();
  });
});
