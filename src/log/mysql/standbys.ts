import type { Clock } from '../../base/clock.ts';
import type { Host } from '../shared/host-list.ts';
import { type MysqlConnection, numberAt } from './connection.ts';
import type { Connector } from './connector.ts';

/*
 * How far the standbys are behind. The primary does not tell, and what a replica tells needs rights that kedge should
 * not have. But a standby that stands in the URL can be asked how far it has come with kedge's own commits, and the
 * primary what these were since. So: all of the URL's hosts that are read-only, now and then, in the background.
 */

/** How old what they said may be before they are asked again. */
const ASKED_EVERY_MS = 10_000;

/** Where a standby is: with which of kedge's commits. */
interface Place {
  readonly revision: number;
  readonly notes: number;
  readonly commits: number;
}

/** The URL's hosts that are read-only. */
export class Standbys {
  readonly #connector: Connector;
  readonly #clock: Clock;
  #places: readonly Place[] = [];
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(connector: Connector, clock: Clock) {
    this.#connector = connector;
    this.#clock = clock;
  }

  /**
   * Keys and values that the slowest one has not got yet, as it was some seconds ago; undefined when there is none that
   * answers. Commits that are forgotten already (mostly those of more than an hour ago) do not count.
   */
  async lagBytes(primary: MysqlConnection): Promise<number | undefined> {
    this.#refresh();
    let most: number | undefined;
    for (const { revision, notes, commits } of this.#places) {
      const [row] = await primary.rows(
        `SELECT COALESCE(SUM(bytes), 0) FROM \`commit\` WHERE (revision > ${revision} OR (revision = ${revision} AND notes >= ${notes})) AND number > ${commits}`,
      );
      most = Math.max(most ?? 0, numberAt(row, 0));
    }
    return most;
  }

  async close(): Promise<void> {
    this.#askedMs = Number.POSITIVE_INFINITY;
    await this.#asking;
  }

  #refresh(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#asking !== undefined || nowMs - this.#askedMs < ASKED_EVERY_MS) return;
    this.#askedMs = nowMs;
    this.#asking = this.#askAll().finally(() => {
      this.#asking = undefined;
    });
  }

  async #askAll(): Promise<void> {
    const places = await Promise.all(this.#connector.others().map((host) => this.#placeOf(host)));
    this.#places = places.filter((place) => place !== undefined);
  }

  /** undefined: it is away, has no store yet, or is no standby. */
  async #placeOf(host: Host): Promise<Place | undefined> {
    let connection: MysqlConnection | undefined;
    try {
      connection = await this.#connector.connectToOther(host);
      const [row] = await connection.rows(
        'SELECT revision, notes, commits FROM head WHERE id = 1 AND @@global.read_only = 1',
      );
      if (row === undefined) return undefined;
      return { revision: numberAt(row, 0), notes: numberAt(row, 1), commits: numberAt(row, 2) };
    } catch {
      return undefined; // That it cannot be asked is all there is to know.
    } finally {
      await connection?.close();
    }
  }
}
