import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { restoreSqlite } from '../../src/log/sqlite/restore.ts';
import { Duties } from '../../src/mvcc/duties.ts';
import type { Duty } from '../../src/mvcc/duty.ts';
import { MemoryDutyFence } from '../../src/mvcc/duty-fence.ts';
import { DutyStats } from '../../src/mvcc/duty-stats.ts';
import type { LogSnapshot } from '../../src/mvcc/log.ts';
import { Backups } from '../../src/server/backups.ts';
import { ManualClock } from '../lease/manual-clock.ts';
import { EtcdClient } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

const HOUR_MS = 3_600_000;

class Lines implements Logger {
  readonly lines: string[] = [];
  debug = (event: string, fields?: LogFields): void => this.#note('debug', event, fields);
  info = (event: string, fields?: LogFields): void => this.#note('info', event, fields);
  warn = (event: string, fields?: LogFields): void => this.#note('warn', event, fields);
  error = (event: string, fields?: LogFields): void => this.#note('error', event, fields);
  #note(level: string, event: string, fields?: LogFields): void {
    this.lines.push(`${level} ${event} ${fields?.['reason'] ?? ''}`.trim());
  }
}

describe('backups by schedule', () => {
  let folder = '';
  let clock: ManualClock;
  let logger: Lines;
  let underWay = 0;
  let underWayMax = 0;
  let fail: string | undefined;
  beforeEach(() => {
    folder = join(temporaryFolder('backups'), 'here');
    clock = new ManualClock();
    clock.nowMs = Date.UTC(2026, 10, 26, 20, 0, 0);
    logger = new Lines();
    underWay = 0;
    underWayMax = 0;
    fail = undefined;
  });
  afterEach(() => removeFolder(join(folder, '..')));

  const store = {
    revision: 7,
    async snapshot(): Promise<LogSnapshot> {
      if (fail !== undefined) throw new Error(fail);
      underWay += 1;
      underWayMax = Math.max(underWayMax, underWay);
      return { bytes: 20, chunks: chunks() };
    },
  };
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (let i = 0; i < 2; i += 1) {
        await sleep(1);
        yield new Uint8Array(10);
      }
    } finally {
      underWay -= 1;
    }
  }

  function backups(keep = 3): Backups {
    const stats = new DutyStats();
    const duties = new Duties('self', { fence: new MemoryDutyFence(clock), clock, random: () => 0, logger, stats });
    duties.start();
    const addDuty = (duty: Duty) => duties.add(duty);
    return new Backups({ folder, intervalMs: HOUR_MS, keep, retryMs: 60_000, store, addDuty, clock, logger });
  }

  async function until(holds: () => boolean): Promise<void> {
    for (let i = 0; !holds(); i += 1) {
      if (i > 2000) throw new Error(`not within time: ${logger.lines.join('\n')}`);
      await clock.pass(0);
      await sleep(1);
    }
  }

  it('come at once, then by interval, and the oldest go', async () => {
    const all = backups();
    await all.start();
    for (let n = 1; n <= 5; n += 1) {
      await until(() => all.stats.taken.value === n);
      await until(() => clock.timers === 1);
      await clock.pass(HOUR_MS);
    }
    await until(() => all.stats.taken.value === 6);
    await all.stop();
    expect(underWayMax).toBe(1);
    expect(readdirSync(folder)).toEqual([
      'kedge-20261126T230000Z-r7.db',
      'kedge-20261127T000000Z-r7.db',
      'kedge-20261127T010000Z-r7.db',
    ]);
    expect(all.stats.lastBytes.value).toBe(20);
  });

  it('leave what is not theirs alone, take what a killed process left away, and go on where the names say', async () => {
    mkdirSync(folder);
    for (const name of ['mine.db', 'kedge-20261126T193000Z-r3.db', 'kedge-20261126T193000Z-r4.db.part']) {
      writeFileSync(join(folder, name), '');
    }
    const all = backups(1);
    await all.start();
    expect(readdirSync(folder)).toEqual(['kedge-20261126T193000Z-r3.db', 'mine.db']);
    await clock.pass(HOUR_MS / 2 - 1);
    expect(all.stats.taken.value).toBe(0);
    await clock.pass(1);
    await until(() => all.stats.taken.value === 1 && clock.timers === 1);
    await all.stop();
    expect(readdirSync(folder)).toEqual(['kedge-20261126T203000Z-r7.db', 'mine.db']);
  });

  it('that fail say so, are counted, and come again soon', async () => {
    fail = 'the disk is full';
    const all = backups();
    await all.start();
    await until(() => all.stats.failed.value === 1 && clock.timers === 1);
    expect(logger.lines).toContain('error backup failed; will try again the disk is full');
    fail = undefined;
    await clock.pass(60_000);
    await until(() => all.stats.taken.value === 1);
    await all.stop();
    expect(readdirSync(folder)).toEqual(['kedge-20261126T200100Z-r7.db']);
  });

  it('under way are broken off by stop, without a trace', async () => {
    const all = backups();
    await all.start();
    await clock.pass(0);
    await until(() => underWay === 1);
    await all.stop();
    expect(underWay).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});

it('serve takes backups that can be restored, and tells of them', async () => {
  const folder = temporaryFolder('backups');
  const backupDir = join(folder, 'backups');
  const kedge = await startKedge({ args: [`--backup-dir=${backupDir}`, '--backup-interval=1s', '--backup-keep=2'] });
  try {
    const client = new EtcdClient(kedge.endpoint);
    await client.call('KV/Put', { key: Buffer.from('a'), value: Buffer.from('b') });
    client.close();
    const metrics = async (): Promise<string> => (await fetch(`http://${kedge.endpoint}/metrics`)).text();
    for (let i = 0; !/^kedge_backups_total [3-9]/m.test(await metrics()); i += 1) {
      if (i > 600) throw new Error(`no backups: ${kedge.output}`);
      await sleep(50);
    }
    expect(await metrics()).toMatch(/^kedge_backup_failures_total 0$/m);
    expect(await metrics()).toMatch(/^kedge_backup_last_size_bytes [1-9]/m);
    // A store of its own is alone with its duties, and runs them the same way.
    expect(await metrics()).toMatch(/^kedge_duty_epoch\{duty="backup"\} [3-9]/m);
    expect(await metrics()).toMatch(/^kedge_duty_held\{duty="backup"\} 1$/m);
    await kedge.stop();
    const names = readdirSync(backupDir).sort();
    expect(names).toHaveLength(2);
    const to = join(folder, 'restored.db');
    const snapshotFile = join(backupDir, names[1] ?? '');
    expect(await restoreSqlite({ snapshotFile, to })).toMatchObject({ revision: 2, digestVerified: true });
    expect(existsSync(to)).toBe(true);
  } finally {
    await kedge.stop();
    rmSync(folder, { recursive: true });
  }
});
