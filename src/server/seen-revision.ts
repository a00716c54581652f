import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { leapFrom } from '../mvcc/leap.ts';
import type { ReloadingStore } from '../mvcc/reloading-store.ts';
import type { Revision } from '../mvcc/types.ts';

/** How old the file may be: what a kill -9 forgets. */
const WRITE_DELAY_MS = 60_000;

/**
 * The newest revision that this replica has seen of a shared store, in a file: a replica that runs finds out by itself
 * when its database has lost commits, one that is started on a backup put back could not know.
 *
 *   start ─▶ compare: seen more than there is ─▶ leap (mvcc/leap.ts)
 *   heads ─▶ note ── within a minute, and at the end ─▶ file
 *
 * A file that cannot be read is as good as none; one that cannot be written costs a line in the log, once.
 */
export class SeenRevision {
  readonly #file: string;
  readonly #store: ReloadingStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #written: Revision = 0;
  #timer: Timer | undefined;
  #isTold = false;

  constructor(file: string, { store, clock, logger }: SeenRevisionParts) {
    this.#file = file;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Of a store that is started. Rejects with LogError when it must leap and cannot. */
  async start(): Promise<void> {
    const store = this.#store;
    const { revision } = store;
    const seen = this.#read();
    if (seen > revision) {
      this.#logger.error(
        'the database lacks revisions that were seen here, as after a failover or a backup put back: going on far beyond, clients must list anew',
        { revision, seen },
      );
      await store.leap(leapFrom(seen));
    }
    this.#note();
    store.onHead(() => this.#note());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#write();
  }

  #note(): void {
    this.#timer ??= this.#clock.after(WRITE_DELAY_MS, () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  get #cluster(): string {
    return this.#store.clusterId.toString(16).padStart(16, '0');
  }

  /** 0: nothing of this store. */
  #read(): Revision {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      if (typeof value !== 'object' || value === null || !('cluster' in value) || !('revision' in value)) return 0;
      const { cluster, revision } = value;
      return cluster === this.#cluster && Number.isSafeInteger(revision) ? (revision as number) : 0;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.#logger.warn('the revision seen last cannot be read', { reason: message });
      return 0;
    }
  }

  #write(): void {
    const { revision } = this.#store;
    if (revision === this.#written) return;
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      const text = `${JSON.stringify({ version: 1, cluster: this.#cluster, revision })}\n`;
      writeFileSync(`${this.#file}.new`, text, { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
      this.#written = revision;
    } catch (error) {
      if (this.#isTold) return;
      this.#isTold = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn(
        'the revision seen last cannot be kept: a backup of the database that is put back while kedge is stopped will not be noticed (--data-dir names a folder for it)',
        { reason },
      );
    }
  }
}

export interface SeenRevisionParts {
  readonly store: ReloadingStore;
  readonly clock: Clock;
  readonly logger: Logger;
}
