import { Failure } from '../base/failure.ts';
import type { ImportSink, ImportState } from '../mvcc/import-sink.ts';
import { type Change, FIRST_REVISION, type LeaseChange, type Position } from '../mvcc/types.ts';
import { LogWriter } from './log-writer.ts';

/*
 * Imports into any engine by what every Log can do. append wants revisions without gaps, and those that compaction has
 * left behind have many: each missing place is filled by a delete of a key that never was, and all fillers are swept
 * away at the end, which leaves what a compacted store is. Until then the alarm CORRUPT is raised, so that what is left
 * of an import that broke off serves nobody.
 */

const BATCH_CHANGES_MAX = 4000;
const BATCH_BYTES_MAX = 4 * 2 ** 20;
const SWEEP_MAX = 4000;
const LEASES_PER_BATCH = 4000;
/** A key that no client can write: etcd refuses empty keys. */
const FILLER_KEY = '';
const NOTHING = new Uint8Array(0);

/** An ImportSink over append. */
export class LogImport implements ImportSink {
  readonly #storeUrl: string;
  readonly #writer: LogWriter;
  #batch: Change[] = [];
  #batchBytes = 0;
  /** Where the next row must stand to leave no gap. */
  #next: Position = { revision: FIRST_REVISION + 1, sub: 0 };
  /** First and last filler of each stretch. */
  readonly #fillers: { readonly from: Position; to: Position }[] = [];
  #open = false;

  constructor(storeUrl: string) {
    this.#storeUrl = storeUrl;
    this.#writer = new LogWriter(storeUrl);
  }

  async begin(): Promise<void> {
    const { head, horizon, rows, leases, alarms } = await this.#writer.open();
    this.#open = true;
    if (head !== FIRST_REVISION || horizon !== 0 || rows !== 0 || leases.length > 0) {
      await this.abort();
      const why = alarms.includes('corrupt') ? 'it holds what is left of an import that broke off' : 'it is not empty';
      throw new Failure(`${this.#storeUrl}: ${why} (revision ${head}); import into an empty store only`);
    }
    await this.#writer.log.alarm('corrupt', true);
  }

  async write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.revision <= FIRST_REVISION) {
        throw new Failure(`the source has a row at revision ${change.revision}: a log begins at ${FIRST_REVISION + 1}`);
      }
      await this.#fillUpTo(change);
      await this.#add(change);
    }
  }

  async finish({ head, horizon, leases }: ImportState): Promise<void> {
    if (head > this.#next.revision - (this.#next.sub === 0 ? 1 : 0)) {
      await this.#fillUpTo({ revision: head, sub: 0 });
      await this.#addFiller({ revision: head, sub: 0 });
    }
    await this.#flush();
    const { log } = this.#writer;
    for (let i = 0; i < leases.length; i += LEASES_PER_BATCH) {
      const notes = leases.slice(i, i + LEASES_PER_BATCH).flatMap(({ id, ttl, remainingTtl }): LeaseChange[] => {
        const grant: LeaseChange = { kind: 'grant', id, ttl };
        return remainingTtl < ttl ? [grant, { kind: 'checkpoint', id, remainingTtl }] : [grant];
      });
      await this.#writer.append([], notes);
    }
    await log.compact(horizon);
    await this.#sweepFillers();
    await log.alarm('corrupt', false);
    await this.#writer.close();
    this.#open = false;
  }

  async abort(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#writer.close();
  }

  async #fillUpTo(at: Position): Promise<void> {
    while (this.#next.revision < at.revision) {
      // A revision that has rows already is whole; the next one begins.
      if (this.#next.sub > 0) this.#next = { revision: this.#next.revision + 1, sub: 0 };
      else await this.#addFiller(this.#next);
    }
    while (this.#next.sub < at.sub) await this.#addFiller(this.#next);
  }

  async #addFiller(at: Position): Promise<void> {
    const last = this.#fillers.at(-1);
    const follows =
      last !== undefined &&
      ((last.to.revision + 1 === at.revision && at.sub === 0 && last.to.sub === 0 && last.from.sub === 0) ||
        (last.to.revision === at.revision && last.from.revision === at.revision && last.to.sub + 1 === at.sub));
    if (follows) last.to = at;
    else this.#fillers.push({ from: at, to: at });
    const { revision, sub } = at;
    await this.#add({
      kind: 'delete',
      key: FILLER_KEY,
      revision,
      sub,
      createRevision: 0,
      version: 0,
      lease: 0n,
      value: NOTHING,
    });
    // Whether the revision goes on is for the next row to say.
    this.#next = { revision, sub: sub + 1 };
  }

  async #add(change: Change): Promise<void> {
    // Whole transactions only.
    if (change.sub === 0 && (this.#batch.length >= BATCH_CHANGES_MAX || this.#batchBytes >= BATCH_BYTES_MAX)) {
      await this.#flush();
    }
    this.#batch.push(change);
    this.#batchBytes += change.key.length + change.value.length;
    this.#next = { revision: change.revision, sub: change.sub + 1 };
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    await this.#writer.append(this.#batch, []);
    this.#batch = [];
    this.#batchBytes = 0;
  }

  async #sweepFillers(): Promise<void> {
    let positions: Position[] = [];
    for (const position of this.#fillerPositions()) {
      positions.push(position);
      if (positions.length < SWEEP_MAX) continue;
      await this.#writer.log.sweep(positions);
      positions = [];
    }
    if (positions.length > 0) await this.#writer.log.sweep(positions);
  }

  *#fillerPositions(): Generator<Position> {
    for (const { from, to } of this.#fillers) {
      if (from.revision === to.revision) {
        for (let { sub } = from; sub <= to.sub; sub += 1) yield { revision: from.revision, sub };
      } else {
        for (let { revision } = from; revision <= to.revision; revision += 1) yield { revision, sub: 0 };
      }
    }
  }
}
