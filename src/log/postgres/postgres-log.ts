import { createHash } from 'node:crypto';
import { invariant } from '../../base/invariant.ts';
import type { BatchesBelow } from '../../mvcc/batches-below.ts';
import { type CommitTold, decodeTold } from '../../mvcc/commit-told.ts';
import type { DutyClaim, DutyRecord, WantedDuty } from '../../mvcc/duty-fence.ts';
import { LEASE_PARTS } from '../../mvcc/duty-names.ts';
import type {
  AppendBatch,
  AppendResult,
  DatabaseHealth,
  LogSize,
  LogSnapshot,
  LogState,
  News,
  SharedLog,
} from '../../mvcc/log.ts';
import { LogError } from '../../mvcc/log.ts';
import type { AlarmKind, Change, ChangeHead, CommitId, Cursor, LeaseId, Position, Revision } from '../../mvcc/types.ts';
import { Breaker } from '../shared/breaker.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import { DatabaseStats } from '../shared/database-stats.ts';
import { type EngineContext, SYSTEM_CONTEXT } from '../shared/engine-context.ts';
import { Forgetting } from '../shared/forgetting.ts';
import { SnapshotFiles } from '../shared/snapshot-file.ts';
import { whenCommitted } from '../shared/when-committed.ts';
import { type PackedAppend, packAppend, sendAppend } from './append.ts';
import { AppendLane } from './append-lane.ts';
import { bigintArray, int4Array, int8Array } from './array-format.ts';
import type { PgConnection } from './connection.ts';
import { Connections, isPassing } from './connections.ts';
import { claimDuties, readDuties } from './duties.ts';
import { isServerError, nothingWasWritten, READ_ONLY, translate } from './errors.ts';
import { checkFacts, readFacts, type ServerFacts } from './health.ts';
import { Listener } from './listener.ts';
import { readNews } from './news.ts';
import type { PostgresOptions } from './options.ts';
import { inSnapshot, loadHeads, readChanges, readRows, readState } from './reader.ts';
import { prepareSchema, randomCommit } from './schema.ts';
import { ScratchBuffers } from './scratch-buffers.ts';
import { fillSnapshot } from './snapshot.ts';
import { Space } from './space.ts';
import { type Statements, statementsFor } from './statements.ts';

/*
 * The shared engine on PostgreSQL: any number of replicas, each with connections of its own.
 *
 *   append ───▶ one connection, pipelined ──▶ commit: the number after the expected one, taken by its unique index
 *   reads  ───▶ a pool of the others                 and log, note, lease, record in the same statement
 *   listen ◀─── one connection ◀── NOTIFY, sent by the append's own commit
 *
 * Whoever inserts the number after a commit first has the place after it; the other one finds it taken and wrote
 * nothing. So commits form one chain, and what it says of order needs no lock and no isolation but READ COMMITTED.
 * docs/ordering.md has the argument.
 */

/** Old commits that are taken away at a time, with their notes. */
const FORGET_COMMITS = 1_000;

/** The Log on PostgreSQL. One per replica. */
export class PostgresLog implements SharedLog {
  readonly stats: DatabaseStats;
  readonly #options: PostgresOptions;
  readonly #context: EngineContext;
  readonly #statements: Statements;
  readonly #channel: string;
  readonly #connections: Connections;
  readonly #lane: AppendLane;
  readonly #breaker: Breaker;
  readonly #space: Space;
  readonly #forgetting: Forgetting;
  readonly #snapshots = new SnapshotFiles();
  readonly #scratch = new ScratchBuffers();
  #listener: Listener | undefined;
  #facts: ServerFacts | undefined;
  #state: LogState | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresOptions, context: EngineContext = SYSTEM_CONTEXT) {
    this.stats = context.stats ?? new DatabaseStats();
    this.#options = options;
    this.#context = context;
    // One per store: channels belong to a database, and names end after 63 bytes.
    this.#channel = `kedge_${createHash('sha256').update(options.schema).digest('hex').slice(0, 16)}`;
    this.#statements = statementsFor(options.schema, options.notify ? this.#channel : undefined);
    this.#connections = new Connections(options, context, this.stats);
    this.#lane = new AppendLane(() => this.#connections.connect(), options.poolWaitMs, context);
    this.#breaker = new Breaker(context, this.stats, () => this.#use((c) => c.query(this.#statements.head)));
    this.#connections.onGone = () => this.#breaker.noteGone();
    this.#space = new Space(this.#connections, options, this.#statements, context.clock);
    this.#forgetting = new Forgetting(async () => {
      const [row] = await this.#read((connection) => connection.query(this.#statements.forget, [FORGET_COMMITS]));
      return Number(row?.[0]) > 0;
    }, context);
  }

  async open(): Promise<LogState> {
    if (this.#closing !== undefined) throw this.#closed();
    invariant(this.#state === undefined, 'a Log is opened once');
    try {
      // On the connection that will append: an attempt to connect may take its time here, and may make the database.
      const state = await this.#onLane(async (connection) => {
        this.#facts = await readFacts(connection, this.#options, this.#context);
        checkFacts(this.#facts, this.#options);
        for (const warning of this.#facts.warnings) this.#context.logger.warn(warning);
        await prepareSchema(connection, this.#options.schema, this.#options.shown);
        return inSnapshot(connection, () => readState(connection, this.#statements));
      });
      this.#connections.opened();
      this.#state = state;
      return state;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async load(visit: (rows: readonly ChangeHead[]) => void | Promise<void>): Promise<void> {
    const until = this.#opened().cursor.revision;
    // What the visitor throws is not the database's, and passes through untouched.
    let thrown: { readonly error: unknown } | undefined;
    const guarded = async (rows: readonly ChangeHead[]) => {
      try {
        await visit(rows);
      } catch (error) {
        thrown = { error };
        throw error;
      }
    };
    try {
      // Not counted among the reads: it may take its time.
      await this.#guarded(() => this.#use((connection) => loadHeads(connection, until, guarded, this.#statements)));
    } catch (error) {
      throw thrown === undefined ? error : thrown.error;
    }
  }

  append(batch: AppendBatch, below?: BatchesBelow): Promise<AppendResult> {
    let packed: PackedAppend;
    try {
      this.#opened();
      packed = packAppend(batch, this.#statements, this.#scratch);
    } catch (error) {
      return Promise.reject(error);
    }
    return whenCommitted(below, () => this.#inLane((connection) => this.#appendPacked(connection, packed)));
  }

  async #appendPacked(connection: PgConnection, packed: PackedAppend): Promise<AppendResult> {
    try {
      const result = await sendAppend(connection, packed, this.#statements);
      if (result.kind === 'moved') this.stats.appendsMoved.value += 1;
      return result;
    } catch (error) {
      if (nothingWasWritten(error)) throw error;
      this.stats.appendsAmbiguous.value += 1;
      const text = error instanceof Error ? error.message : String(error);
      throw new DatabaseAway(`${text} (an append was on its way)`, 'ambiguous', { cause: error });
    }
  }

  async head(): Promise<Revision> {
    const [row] = await this.#read((connection) => connection.query(this.#statements.head));
    return Number(row?.[2]);
  }

  changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    return this.#read((connection) => readChanges(connection, after, bytesMax, this.#statements));
  }

  rows(at: readonly Position[]): Promise<readonly (Change | undefined)[]> {
    return this.#read((connection) => readRows(connection, at, this.#statements));
  }

  async compact(horizon: Revision): Promise<void> {
    await this.#read((connection) => connection.query(this.#statements.compact, [horizon]));
    this.#forgetting.start();
  }

  async sweep(positions: readonly Position[], sweptTo: Revision = 0): Promise<void> {
    if (positions.length === 0 && sweptTo === 0) return void this.#opened();
    const values = [
      int8Array(positions.map(({ revision }) => revision)),
      int4Array(positions.map(({ sub }) => sub)),
      sweptTo,
    ];
    await this.#read(async (connection) => {
      const [row] = await connection.query(this.#statements.sweep, values);
      this.#space.swept(Number(row?.[0] ?? 0));
    });
  }

  vacuum(_bytes: number): Promise<number> {
    return this.#guarded(() => this.#space.vacuum());
  }

  defragment(): Promise<void> {
    return this.#guarded(() => this.#space.defragment());
  }

  async alarm(kind: AlarmKind, raised: boolean): Promise<void> {
    const statement = raised ? this.#statements.raise : this.#statements.clear;
    await this.#read((connection) => connection.query(statement, [kind]));
  }

  size(): Promise<LogSize> {
    return this.#read((connection) => this.#space.size(connection));
  }

  async snapshot(): Promise<LogSnapshot> {
    this.#opened();
    return this.#snapshots.take((file) => this.#read((connection) => fillSnapshot(connection, file, this.#statements)));
  }

  news(since: Cursor, bytesMax: number): Promise<News> {
    return this.#read((connection) => readNews(connection, since, bytesMax, this.#statements));
  }

  listen(onHint: (commit?: CommitTold) => void): boolean {
    this.#opened();
    invariant(this.#listener === undefined, 'a Log has one listener');
    const { notify, pgbouncer } = this.#options;
    if (!notify || pgbouncer) return false;
    this.#listener = new Listener(
      () => this.#connections.connect(),
      this.#channel,
      this.#context,
      (fromProcess, payload) => {
        // Our own appends we know of.
        if (fromProcess !== 0 && fromProcess === this.#lane.processId) return;
        this.stats.hints.value += 1;
        onHint(decodeTold(payload));
      },
    );
    this.#listener.start();
    return true;
  }

  /**
   * The fence takes the number that the append wants, if it is still free: after that the append, wherever it is, finds
   * it taken. The insert waits for an append that is being done at this moment, so that the look after it sees its end.
   */
  async settle(batch: AppendBatch): Promise<boolean> {
    const { commit, expected } = batch;
    try {
      return await this.#read(async (connection) => {
        const { fence, outcome } = this.#statements;
        const fenced = connection.query(fence, [expected.commit, randomCommit()]);
        const found = connection.query(outcome, [commit, expected.commit, expected.revision, expected.notes]);
        const [, [row]] = await Promise.all([fenced, found]);
        const [isThere, isExpectedThere, isRemembered] = row ?? [];
        if (isThere === 't') return true;
        if (isExpectedThere === 't' || isRemembered === 't') return false;
        throw new LogError('ambiguous', `${this.#options.shown}: the commit is too long ago to tell what became of it`);
      });
    } catch (error) {
      if (error instanceof LogError && (error.code === 'ambiguous' || error.code === 'closed')) throw error;
      const text = error instanceof Error ? error.message : String(error);
      throw new LogError('ambiguous', text, { cause: error });
    }
  }

  async announce(commit: CommitId, leapTo: Revision = 0): Promise<void> {
    await this.#read((connection) => connection.run(this.#statements.announce(commit, leapTo)));
  }

  async renewLeases(ids: readonly LeaseId[]): Promise<ReadonlySet<LeaseId>> {
    const rows = await this.#read((c) => c.query(this.#statements.renew, [bigintArray(ids)]));
    return new Set(rows.map(([id]) => BigInt(id ?? 0)));
  }

  async leasesLeftMs(ids: readonly LeaseId[]): Promise<ReadonlyMap<LeaseId, number>> {
    const rows = await this.#read((c) => c.query(this.#statements.left, [bigintArray(ids)]));
    return new Map(rows.map(([id, leftMs]) => [BigInt(id ?? 0), Number(leftMs)]));
  }

  async expiredLeases(countMax: number, parts = LEASE_PARTS): Promise<readonly LeaseId[]> {
    const rows = await this.#read((c) => c.query(this.#statements.expired, [countMax, int8Array(parts)]));
    return rows.map(([id]) => BigInt(id ?? 0));
  }

  async refreshLeases(parts: readonly number[]): Promise<void> {
    await this.#read((c) => c.query(this.#statements.refresh, [int8Array(parts)]));
  }

  claimDuties(wanted: readonly WantedDuty[], holder: string): Promise<readonly DutyClaim[]> {
    return this.#read((connection) => claimDuties(connection, this.#options.schema, wanted, holder));
  }

  readDuties(): Promise<readonly DutyRecord[]> {
    return this.#read((connection) => readDuties(connection, this.#options.schema));
  }

  async health(): Promise<DatabaseHealth> {
    let problem: string | undefined;
    try {
      this.#facts = await this.#read((connection) => readFacts(connection, this.#options, this.#context));
      checkFacts(this.#facts, this.#options);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    const facts = this.#facts;
    const { counts } = this.#connections.pool;
    const others = (this.#lane.isConnected ? 1 : 0) + (this.#listener?.isListening === true ? 1 : 0);
    return {
      server: facts?.server ?? 'PostgreSQL',
      problem,
      warnings: facts?.warnings ?? [],
      latencyMs: facts?.latencyMs ?? 0,
      connections: { ...counts, open: counts.open + others, max: this.#options.poolMax },
      clockDifferenceMs: facts?.clockDifferenceMs ?? 0,
      replicationLagBytes: facts?.replicationLagBytes,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#forgetting.close();
    this.#breaker.stop();
    await this.#space.close();
    await this.#snapshots.close();
    await this.#lane.close();
    await this.#connections.pool.close();
    await this.#listener?.stop();
  }

  /** On a connection of the pool, behind the breaker. */
  #read<T>(work: (connection: PgConnection) => Promise<T>): Promise<T> {
    const { clock } = this.#context;
    return this.#guarded(async () => {
      const beganMs = clock.monotonicMs();
      const result = await this.#use(work);
      this.stats.readSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
      return result;
    });
  }

  #inLane<T>(work: (connection: PgConnection) => Promise<T>): Promise<T> {
    const { clock } = this.#context;
    const beganMs = clock.monotonicMs();
    return this.#guarded(async () => {
      const result = await this.#onLane(work);
      this.stats.appendSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
      return result;
    });
  }

  #onLane<T>(work: (connection: PgConnection) => Promise<T>): Promise<T> {
    return this.#lane.use((connection) => this.#translated(connection, work));
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    this.#opened();
    return this.#breaker.run(call);
  }

  #use<T>(work: (connection: PgConnection) => Promise<T>): Promise<T> {
    return this.#connections.pool.use((connection) => this.#translated(connection, work));
  }

  /** The one place where what the server says becomes a LogError. */
  async #translated<T>(connection: PgConnection, work: (connection: PgConnection) => Promise<T>): Promise<T> {
    try {
      return await work(connection);
    } catch (error) {
      if (!isServerError(error)) throw error;
      const logError = translate(error, this.#options.shown);
      // Gone to be a standby, or about to stop: another one of the hosts may be the right one by now.
      if (error.code !== READ_ONLY && !isPassing(error.code)) throw this.#afterStart(logError);
      if (error.code === READ_ONLY || error.code.startsWith('57P')) connection.destroy(error.message);
      if (error.code.startsWith('53')) throw logError;
      throw new DatabaseAway(logError.message, 'unavailable', { cause: error });
    }
  }

  /** Refused for good is only what was never right. */
  #afterStart(error: LogError): LogError {
    if (error.code !== 'refused' || this.#state === undefined) return error;
    return new LogError('unavailable', error.message, { cause: error });
  }

  #opened(): LogState {
    if (this.#state === undefined || this.#closing !== undefined) throw this.#closed();
    return this.#state;
  }

  #closed(): LogError {
    return new LogError('closed', `${this.#options.shown} is not open`);
  }
}
