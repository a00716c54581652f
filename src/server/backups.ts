import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../base/byte-size.ts';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Logger } from '../base/logger.ts';
import { Counter, Gauge } from '../base/metrics.ts';
import { syncPath } from '../base/sync-path.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { Duty } from '../mvcc/duty.ts';
import { BACKUP_DUTY } from '../mvcc/duty-names.ts';

/**
 * Backups by schedule: a snapshot of the store as a file of its own, with the digest that `kedge snapshot restore` and
 * `etcdctl snapshot status` look for.
 *
 *     the duty backup ─▶ snapshot into <name>.part ─▶ sync ─▶ rename ─▶ delete the oldest
 *
 * One at a time, and one replica for all that share a store. A file without .part at its end is whole, whatever happened.
 * When the last one was, the database knows; for a store of one process the times are in the names: after a restart the
 * schedule goes on where it was. What fails is logged, counted, and tried again before the interval is over.
 */
export class Backups {
  readonly stats = new BackupStats();
  readonly #options: BackupsOptions;
  #running: Promise<'done' | 'failed'> | undefined;
  #stopped = false;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  /** Makes the folder; takes away what a killed process left. Rejects with a Failure when the folder cannot be used. */
  async start(): Promise<void> {
    const { folder, intervalMs, retryMs, clock, logger, addDuty } = this.#options;
    const names = await filesIn(folder);
    for (const name of names) if (PART.test(name)) await rm(join(folder, name), { force: true });
    const newest = names
      .filter((name) => BACKUP.test(name))
      .sort()
      .at(-1);
    const dueMs = newest === undefined ? 0 : timeIn(newest) + intervalMs - clock.wallMs();
    // A clock that was set back must not put backups off for long.
    const firstAfterMs = Math.min(Math.max(dueMs, 0), intervalMs);
    const run = () => {
      this.#running = this.#run();
      return this.#running;
    };
    addDuty({ parts: [BACKUP_DUTY], everyMs: intervalMs, retryMs, firstAfterMs, run });
    logger.info('backups are on', { folder, interval_ms: intervalMs, keep: this.#options.keep });
  }

  /** Breaks off the one under way, and waits for that. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<'done' | 'failed'> {
    const { clock, logger, intervalMs } = this.#options;
    const beganMs = clock.monotonicMs();
    try {
      const { name, bytes, revision } = await this.#take();
      const tookMs = Math.round(clock.monotonicMs() - beganMs);
      this.stats.taken.value += 1;
      this.stats.lastSuccessSeconds.value = clock.wallMs() / 1000;
      this.stats.lastBytes.value = bytes;
      this.stats.lastDurationSeconds.value = tookMs / 1000;
      const deleted = await this.#deleteOldest();
      logger.info('backup taken', { file: name, revision, size: formatBytes(bytes), took_ms: tookMs, deleted });
      return 'done';
    } catch (error) {
      if (this.#stopped) return 'failed';
      this.stats.failed.value += 1;
      const retryMs = Math.min(intervalMs, this.#options.retryMs);
      const reason = error instanceof Error ? error.message : String(error);
      logger.error('backup failed; will try again', { folder: this.#options.folder, reason, retry_ms: retryMs });
      return 'failed';
    }
  }

  async #take(): Promise<{ readonly name: string; readonly bytes: number; readonly revision: number }> {
    const { folder, store, clock } = this.#options;
    // The snapshot is of this revision or a later one.
    const { revision } = store;
    const name = `kedge-${timestamp(clock.wallMs())}-r${revision}.db`;
    const part = join(folder, `${name}.part`);
    const file = await open(part, 'wx', 0o600);
    try {
      const bytes = await this.#copyInto(file);
      await file.sync();
      await file.close();
      await rename(part, join(folder, name));
      await syncPath(folder);
      return { name, bytes, revision };
    } catch (error) {
      await file.close();
      await rm(part, { force: true });
      throw error;
    }
  }

  async #copyInto(file: FileHandle): Promise<number> {
    const { chunks } = await this.#options.store.snapshot();
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of chunks) {
      if (this.#stopped) throw new Error('the server stops');
      hash.update(chunk);
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await file.writeFile(hash.digest());
    return bytes;
  }

  /** Only files whose names are of this form: whatever else is in the folder is somebody else's. */
  async #deleteOldest(): Promise<number> {
    const { folder, keep } = this.#options;
    const names = (await readdir(folder)).filter((name) => BACKUP.test(name)).sort();
    const old = names.slice(0, Math.max(0, names.length - keep));
    for (const name of old) await rm(join(folder, name), { force: true });
    return old.length;
  }
}

export interface BackupsOptions {
  readonly folder: string;
  readonly intervalMs: number;
  readonly keep: number;
  /** From a failure to the next try, if that is sooner than the interval. */
  readonly retryMs: number;
  readonly store: Pick<StoreApi, 'revision' | 'snapshot'>;
  readonly addDuty: (duty: Duty) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Cells for metrics. */
export class BackupStats {
  readonly taken = new Counter();
  readonly failed = new Counter();
  /** Unix time; 0: none yet. */
  readonly lastSuccessSeconds = new Gauge();
  readonly lastDurationSeconds = new Gauge();
  readonly lastBytes = new Gauge();
}

const BACKUP = /^kedge-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-r\d+\.db$/;
const PART = /^kedge-\d{8}T\d{6}Z-r\d+\.db\.part$/;

/** 20261126T201500Z: sorts as time does. */
function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function timeIn(name: string): number {
  const [, year, month, day, hour, minute, second] = BACKUP.exec(name) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) || 0;
}

/** Makes the folder when it is missing. */
async function filesIn(folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await readdir(folder);
  } catch (error) {
    throw new Failure(`--backup-dir: cannot use ${folder}: ${(error as Error).message}`, { cause: error });
  }
}
