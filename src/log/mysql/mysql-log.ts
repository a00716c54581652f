import { randomInt } from 'node:crypto';
import type { Timer } from '../../base/clock.ts';
import { invariant } from '../../base/invariant.ts';
import type { BatchesBelow } from '../../mvcc/batches-below.ts';
import type { DutyClaim, DutyRecord, WantedDuty } from '../../mvcc/duty-fence.ts';
import {
  type AppendBatch,
  type AppendResult,
  type DatabaseHealth,
  type Heard,
  LogError,
  type LogSize,
  type LogSnapshot,
  type LogState,
  type News,
  type SharedLog,
} from '../../mvcc/log.ts';
import type { AlarmKind, Change, ChangeHead, CommitId, Cursor, LeaseId, Position, Revision } from '../../mvcc/types.ts';
import { Breaker } from '../shared/breaker.ts';
import { ConnectionPool } from '../shared/connection-pool.ts';
import { DatabaseStats } from '../shared/database-stats.ts';
import { type EngineContext, SYSTEM_CONTEXT } from '../shared/engine-context.ts';
import { Forgetting } from '../shared/forgetting.ts';
import { SnapshotFiles } from '../shared/snapshot-file.ts';
import { whenCommitted } from '../shared/when-committed.ts';
import { type AppendText, append, appendText } from './append.ts';
import { compact, defragment, forgetOldCommits, size, sweep } from './compaction.ts';
import { retryConflicts } from './conflicts.ts';
import type { MysqlConnection } from './connection.ts';
import { Connector } from './connector.ts';
import { claimDuties, readDuties } from './duties.ts';
import { ConnectionLost, NoAnswer, translate } from './errors.ts';
import { alarmStatement, beginSnapshot, HEAD_STATEMENT, headOf } from './head.ts';
import { expiredLeases, leasesLeftMs, refreshLeases, renewLeases } from './leases.ts';
import { FLUSH_ROWS, news } from './news.ts';
import { type MysqlOptions, notOpen } from './options.ts';
import { changesAfter, load, rowsAt } from './rows.ts';
import { prepareSchema } from './schema.ts';
import { announce, settle } from './settle.ts';
import { fillSnapshot } from './snapshot.ts';
import { Standbys } from './standbys.ts';

/*
 * The engine on MariaDB, MySQL and Galera.
 *
 *   append ─────────────▶ one connection: appends leave in order, each as one message (append.ts)
 *   everything else ────▶ the other connections, as many as are needed up to the limit
 *
 *   a call ─▶ breaker ─▶ a connection ─▶ statements ─▶ errors become LogErrors, here and nowhere else
 *
 * What is asked twice does no harm, but for append: so anything else is asked once more when its connection breaks.
 */

/** Calls that may wait for a connection. */
const WAITERS_MAX = 2_000;
/** Old commits are forgotten after so many of ours, and with each compaction. */
const COMMITS_PER_FORGETTING = 1_000;
/** The moment that open has seen is kept this long for load. */
const LOAD_WITHIN_MS = 60_000;

/** The Log on MariaDB or MySQL. */
export class MysqlLog implements SharedLog {
  readonly stats: DatabaseStats;
  readonly #options: MysqlOptions;
  readonly #context: EngineContext;
  readonly #connector: Connector;
  readonly #appending: ConnectionPool<MysqlConnection>;
  readonly #others: ConnectionPool<MysqlConnection>;
  readonly #breaker: Breaker;
  readonly #forgetting: Forgetting;
  readonly #standbys: Standbys;
  readonly #snapshots = new SnapshotFiles();
  readonly #flushRow = randomInt(FLUSH_ROWS);
  /** Calls under way. */
  readonly #calls = new Set<Promise<unknown>>();
  #state: 'new' | 'open' | 'closed' = 'new';
  #closing: Promise<void> | undefined;
  #loading: { readonly connection: MysqlConnection; readonly upTo: Revision; readonly timer: Timer } | undefined;
  /** How often the fate of an append became unknown. */
  #losses = 0;
  #commits = 0;

  constructor(options: MysqlOptions, context: EngineContext = SYSTEM_CONTEXT) {
    this.stats = context.stats ?? new DatabaseStats();
    this.#options = options;
    this.#context = context;
    this.#connector = new Connector(options, context.clock);
    this.#standbys = new Standbys(this.#connector, context.clock);
    const connect = (): Promise<MysqlConnection> => this.#connector.connect();
    const limits = { waitMs: options.waitMs, waitersMax: WAITERS_MAX };
    this.#appending = new ConnectionPool(connect, { ...limits, connectionsMax: 1 }, context, new DatabaseStats());
    const connectionsMax = options.connectionsMax - 1;
    this.#others = new ConnectionPool(connect, { ...limits, connectionsMax }, context, this.stats);
    this.#breaker = new Breaker(context, this.stats, () =>
      this.#others.use((connection) => connection.rows('SELECT 1')).catch((error) => this.#rethrow(error)),
    );
    this.#connector.onGone = () => this.#breaker.noteGone();
    this.#forgetting = new Forgetting(() => this.#call(forgetOldCommits), context);
  }

  async open(): Promise<LogState> {
    if (this.#state === 'closed') throw notOpen(this.#options);
    invariant(this.#state === 'new', 'a Log is opened once');
    this.#state = 'open';
    try {
      await this.#connector.createDatabase();
      await this.#others.use((connection) => prepareSchema(connection, this.#options.shown, this.#context.clock));
      for (const warning of this.#connector.facts?.warnings ?? []) this.#context.logger.warn(warning);
      return await this.#begin();
    } catch (error) {
      await this.close();
      throw translate(error, this.#options.shown);
    }
  }

  async load(visit: (rows: readonly ChangeHead[]) => void | Promise<void>): Promise<void> {
    return this.#track(async () => {
      const loading = this.#loading;
      if (loading === undefined)
        throw new LogError('unavailable', `store ${this.#options.shown}: load comes directly after open`);
      this.#loading = undefined;
      loading.timer.cancel();
      let isVisitorsError = false;
      try {
        await load(loading.connection, loading.upTo, async (rows) => {
          isVisitorsError = true;
          await visit(rows);
          isVisitorsError = false;
        });
      } catch (error) {
        throw isVisitorsError ? error : translate(error, this.#options.shown);
      } finally {
        await loading.connection.close();
      }
    });
  }

  append(batch: AppendBatch, below?: BatchesBelow): Promise<AppendResult> {
    if (this.#state !== 'open') return Promise.reject(notOpen(this.#options));
    const { facts, takesBlocks } = this.#connector;
    const before = takesBlocks ? below?.batches.map(({ expected }) => expected.commit) : undefined;
    const text = appendText(batch, facts?.packetBytesMax ?? Number.POSITIVE_INFINITY, before);
    const losses = this.#losses;
    // It waits at the head's row, which is one for all but on Galera.
    const isGalera = facts?.isGalera === true;
    return whenCommitted(isGalera ? below : undefined, () => this.#track(() => this.#appendText(text, losses)));
  }

  async #appendText(text: AppendText, losses: number): Promise<AppendResult> {
    const { clock } = this.#context;
    const beganMs = clock.monotonicMs();
    try {
      const result = await this.#breaker.run(() =>
        this.#appending
          .use((connection) => this.#appendNow(connection, text, losses))
          .catch((error) => this.#rethrow(error)),
      );
      this.stats.appendSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
      if (result.kind === 'moved') this.stats.appendsMoved.value += 1;
      else this.#noteCommit();
      return result;
    } catch (error) {
      if (error instanceof LogError && error.code === 'ambiguous') this.stats.appendsAmbiguous.value += 1;
      throw error;
    }
  }

  /** Not when it was decided on top of one whose fate is unknown by now. */
  async #appendNow(connection: MysqlConnection, text: AppendText, losses: number): Promise<AppendResult> {
    const { shown } = this.#options;
    if (losses !== this.#losses) {
      throw new LogError('unavailable', `store ${shown}: the connection was lost in the append before this one`);
    }
    try {
      return await append(connection, text, shown);
    } catch (error) {
      if (error instanceof LogError && error.code === 'ambiguous') this.#losses += 1;
      throw error;
    }
  }

  head(): Promise<Revision> {
    return this.#call(async (connection) => headOf((await connection.rows(HEAD_STATEMENT))[0]).cursor.revision);
  }

  changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    return this.#call((connection) => changesAfter(connection, after, bytesMax));
  }

  rows(at: readonly Position[]): Promise<readonly (Change | undefined)[]> {
    return this.#call((connection) => rowsAt(connection, at));
  }

  async compact(horizon: Revision): Promise<void> {
    await this.#call((connection) => compact(connection, horizon));
    this.#forgetting.start();
  }

  sweep(positions: readonly Position[], sweptTo?: Revision): Promise<void> {
    return this.#call((connection) => sweep(connection, positions, sweptTo));
  }

  /** Nothing: the server uses what is free for what comes next. */
  vacuum(_bytes: number): Promise<number> {
    return this.#call(async () => 0);
  }

  defragment(): Promise<void> {
    return this.#call(defragment);
  }

  alarm(kind: AlarmKind, raised: boolean): Promise<void> {
    return this.#call(async (connection) => {
      await retryConflicts(() => connection.rows(alarmStatement(kind, raised)));
    });
  }

  size(): Promise<LogSize> {
    return this.#call(size);
  }

  async snapshot(): Promise<LogSnapshot> {
    if (this.#state !== 'open') throw notOpen(this.#options);
    return this.#snapshots.take((file) => this.#call((connection) => fillSnapshot(connection, file), 1));
  }

  news(since: Cursor, bytesMax: number, heard?: Heard): Promise<News> {
    const flushRow = this.#connector.facts?.showsUnflushed === true ? this.#flushRow : undefined;
    return this.#call((connection) => news(connection, since, bytesMax, flushRow, heard));
  }

  /** Neither server tells: the Store polls, and peers hint. */
  listen(_onHint: () => void): boolean {
    return false;
  }

  async settle(batch: AppendBatch): Promise<boolean> {
    const fence = randomInt(1, 2 ** 48 - 1);
    try {
      return await this.#call((connection) => settle(connection, batch, fence));
    } catch (error) {
      if (error instanceof LogError && error.code === 'closed') throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new LogError('ambiguous', `what became of an append cannot be found out yet: ${why}`, { cause: error });
    }
  }

  announce(commit: CommitId, leapTo: Revision = 0): Promise<void> {
    return this.#call((connection) => announce(connection, commit, leapTo), 1);
  }

  renewLeases(ids: readonly LeaseId[]): Promise<ReadonlySet<LeaseId>> {
    return this.#call((connection) => renewLeases(connection, ids));
  }

  leasesLeftMs(ids: readonly LeaseId[]): Promise<ReadonlyMap<LeaseId, number>> {
    return this.#call((connection) => leasesLeftMs(connection, ids));
  }

  expiredLeases(countMax: number, parts?: readonly number[]): Promise<readonly LeaseId[]> {
    return this.#call((connection) => expiredLeases(connection, countMax, parts));
  }

  refreshLeases(parts: readonly number[]): Promise<void> {
    return this.#call((connection) => refreshLeases(connection, parts));
  }

  claimDuties(wanted: readonly WantedDuty[], holder: string): Promise<readonly DutyClaim[]> {
    return this.#call((connection) => claimDuties(connection, wanted, holder));
  }

  readDuties(): Promise<readonly DutyRecord[]> {
    return this.#call((connection) => readDuties(connection));
  }

  async health(): Promise<DatabaseHealth> {
    const { clock } = this.#context;
    const [appending, others] = [this.#appending.counts, this.#others.counts];
    const rest = {
      connections: {
        open: appending.open + others.open,
        idle: appending.idle + others.idle,
        max: appending.max + others.max,
        waiting: appending.waiting + others.waiting,
      },
    };
    const beganMs = clock.monotonicMs();
    let latencyMs = 0;
    try {
      const { facts, clockDifferenceMs, replicationLagBytes } = await this.#call(async (connection) => {
        const askedMs = clock.monotonicMs();
        headOf((await connection.rows(HEAD_STATEMENT))[0]);
        latencyMs = clock.monotonicMs() - askedMs;
        const seen = await this.#connector.look(connection);
        return { ...seen, replicationLagBytes: await this.#standbys.lagBytes(connection) };
      });
      return {
        ...rest,
        server: facts.server,
        problem: undefined,
        warnings: facts.warnings,
        latencyMs,
        clockDifferenceMs,
        replicationLagBytes,
      };
    } catch (error) {
      return {
        ...rest,
        server: this.#connector.facts?.server ?? 'MariaDB or MySQL',
        problem: error instanceof Error ? error.message : String(error),
        warnings: this.#connector.facts?.warnings ?? [],
        latencyMs: latencyMs === 0 ? clock.monotonicMs() - beganMs : latencyMs,
        clockDifferenceMs: 0,
        replicationLagBytes: undefined,
      };
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#state = 'closed';
    this.#forgetting.close();
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
    await this.#snapshots.close();
    await this.#standbys.close();
    this.#breaker.stop();
    this.#loading?.timer.cancel();
    await Promise.all([this.#loading?.connection.close(), this.#appending.close(), this.#others.close()]);
    this.#loading = undefined;
  }

  /** Sees a moment and keeps it, so that load tells of the same one. */
  async #begin(): Promise<LogState> {
    const connection = await this.#connector.connect();
    try {
      const state = await beginSnapshot(connection);
      const timer = this.#context.clock.after(LOAD_WITHIN_MS, () => {
        this.#loading = undefined;
        void connection.close();
      });
      this.#loading = { connection, upTo: state.cursor.revision, timer };
      return state;
    } catch (error) {
      connection.drop();
      throw error;
    }
  }

  /** Runs it on one of the other connections. With one attempt what may not be asked twice. */
  #call<T>(work: (connection: MysqlConnection) => Promise<T>, attempts = 2): Promise<T> {
    if (this.#state !== 'open') return Promise.reject(notOpen(this.#options));
    return this.#track(async () => {
      const beganMs = this.#context.clock.monotonicMs();
      const result = await this.#breaker.run(() =>
        this.#attempt(work, attempts).catch((error) => this.#rethrow(error)),
      );
      this.stats.readSeconds.observe((this.#context.clock.monotonicMs() - beganMs) / 1000);
      return result;
    });
  }

  /** A connection that lay idle may be broken and not know it: one more try, on another one, unless one waited in vain. */
  async #attempt<T>(work: (connection: MysqlConnection) => Promise<T>, attempts: number): Promise<T> {
    try {
      return await this.#others.use(work);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.stats.connectionsLost.value += 1;
      if (attempts === 1 || error instanceof NoAnswer) throw error;
      return this.#attempt(work, attempts - 1);
    }
  }

  /** Refused for good is only what was so at the start: a right that is taken away may be given back. */
  #rethrow(error: unknown): never {
    const logError = translate(error, this.#options.shown);
    if (logError.code === 'refused') throw new LogError('unavailable', logError.message, { cause: error });
    throw logError;
  }

  async #track<T>(task: () => Promise<T>): Promise<T> {
    if (this.#state !== 'open') throw notOpen(this.#options);
    const call = task();
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  #noteCommit(): void {
    this.#commits += 1;
    if (this.#commits % COMMITS_PER_FORGETTING === 0) this.#forgetting.start();
  }
}
