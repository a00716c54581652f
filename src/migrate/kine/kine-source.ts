import { setImmediate as breathe } from 'node:timers/promises';
import { Failure } from '../../base/failure.ts';
import { invariant } from '../../base/invariant.ts';
import type { Change, Revision } from '../../mvcc/types.ts';
import { Chunk, type RowHead, type Source, type SourceFacts, type Survey } from '../source.ts';
import { type KineDatabase, PAGE_ROWS, PAGE_ROWS_WITH_VALUES } from './kine-database.ts';
import { type KineFindings, type KineRow, KineRows } from './kine-rows.ts';

/** A kine's database. kine should be stopped: what it writes after this began is not seen. */
export class KineSource implements Source {
  readonly name: string;
  readonly #connect: () => Promise<KineDatabase>;
  #database: KineDatabase | undefined;

  constructor(name: string, connect: () => Promise<KineDatabase>) {
    this.name = name;
    this.#connect = connect;
  }

  async open(): Promise<SourceFacts> {
    this.#database = await this.#connect();
    const { description, bounds } = this.#database;
    if (bounds.head === 0) throw new Failure(`${this.name}: kine's table is empty`);
    return { description, horizon: this.#horizon(), rows: bounds.rows };
  }

  async survey(visit: (row: RowHead) => void): Promise<Survey> {
    const database = this.#opened();
    const rows = new KineRows(database.foldsCase);
    for await (const row of this.#rows(false)) for (const change of rows.changes(row)) visit(change);
    const { findings } = rows;
    return { head: database.bounds.head, leases: findings.leases, records: [], remarks: remarksOn(findings) };
  }

  async *changes(): AsyncIterable<readonly Change[]> {
    const rows = new KineRows(this.#opened().foldsCase);
    const chunk = new Chunk();
    for await (const row of this.#rows(true)) {
      let full = false;
      for (const change of rows.changes(row)) full = chunk.add(change) || full;
      if (full) yield chunk.take();
    }
    yield chunk.take();
  }

  async close(): Promise<void> {
    await this.#database?.close();
    this.#database = undefined;
  }

  async *#rows(withValues: boolean): AsyncGenerator<KineRow> {
    const database = this.#opened();
    const limit = withValues ? PAGE_ROWS_WITH_VALUES : PAGE_ROWS;
    for (let after = 0; ; ) {
      const page = await database.page(after, limit, withValues);
      for (const row of page) {
        if (row.id <= after) throw new Failure(`${this.name}: row ${row.id} comes after row ${after}`);
        after = row.id;
        yield row;
      }
      if (page.length < limit) return;
      await breathe();
    }
  }

  /** kine allows reads at the compacted revision, as etcd does. */
  #horizon(): Revision {
    const { compacted, head } = this.#opened().bounds;
    if (compacted < 0 || compacted > head) {
      throw new Failure(`${this.name}: compact_rev_key says ${compacted}, but the newest row is ${head}`);
    }
    return compacted;
  }

  #opened(): KineDatabase {
    invariant(this.#database !== undefined, 'a source is opened first');
    return this.#database;
  }
}

function remarksOn({ gaps, otherSpellings, mended, leases }: KineFindings): string[] {
  const remarks: string[] = [];
  if (gaps > 0) remarks.push(`${gaps} gap rows are dropped: nothing happened at those revisions.`);
  if (otherSpellings > 0) {
    remarks.push(
      `${otherSpellings} times a key superseded one that differs by case alone, which the database took for the same: the older spelling counts as deleted.`,
    );
  }
  if (mended > 0) remarks.push(`${mended} rows had no usable create revision: the nearest that is known stands in.`);
  if (leases.length > 0) {
    remarks.push(
      `kine knows only how long a key shall live, not since when: keys with a TTL (${leases.map(({ ttl }) => `${ttl} s`).join(', ')}) live that long again.`,
    );
  }
  return remarks;
}
