import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import type { ImportSink } from '../mvcc/import-sink.ts';
import { FIRST_REVISION, type LeaseId, type Revision } from '../mvcc/types.ts';
import { type Copied, copy } from './copy.ts';
import { type EtcdAccess, EtcdClient, EtcdFailure } from './etcd/client.ts';
import { compareLive } from './etcd/compare-live.ts';
import { follow } from './etcd/follow.ts';
import type { HashKvResponse } from './etcd/messages.ts';
import { LogWriter } from './log-writer.ts';
import { Progress } from './progress.ts';
import { sinkFor } from './sink-for.ts';
import type { Source } from './source.ts';
import { sourceFor } from './source-for.ts';
import { contentsOf, formatHash, mustEqual, readBack, type StoreContents } from './verify.ts';

/**
 * Moves house: source → store.
 *
 *   find the source ─▶ copy (two passes) ─▶ read back and compare ─▶ follow the source until told ─▶ compare with it
 *
 * Each step tells a person what it does. The target must be empty; when a step fails, the copy is begun anew.
 */
export interface MigrateOptions {
  readonly from: string;
  /** The store's URL. */
  readonly to: string;
  readonly history: boolean;
  readonly follow: boolean;
  /** The store is there, from an earlier run that was to follow: only go on following. */
  readonly resume: boolean;
  readonly untilCaughtUp: boolean;
  readonly skipHashCheck: boolean;
  readonly workFolder: string;
  /** `endpoints` is taken from `from`. */
  readonly access: Omit<EtcdAccess, 'endpoints'>;
}

export interface MigrateContext {
  readonly clock: Clock;
  readonly print: (line: string) => void;
  /** Called when following begins; resolves when it shall end. */
  finishAsked(): Promise<unknown>;
}

/** Rejects with Failure, UsageError or LogError; the source is as it was in any case. */
export async function migrate(options: MigrateOptions, context: MigrateContext): Promise<void> {
  const { from, to, workFolder, skipHashCheck } = options;
  const { clock, print } = context;
  if (from === to) throw new Failure('--from and --to are the same');
  // What is wrong with the target is told before the source is asked.
  const sink = sinkFor(to);
  const progress = new Progress(clock, print);
  const access = { ...options.access, endpoints: from };
  const connect = (): Promise<EtcdClient> => EtcdClient.connect(access, clock);
  const { source, client } = await sourceFor({ from, connect, workFolder, skipHashCheck, progress });
  try {
    if (options.follow && client === undefined) {
      throw new Failure(`--follow needs a server to follow (http://…); ${source.name} is none`);
    }
    let head: Revision | undefined;
    if (!options.resume) head = (await copyAndReadBack(source, sink, options, progress, print)).head;
    // What it took to read it is no longer needed, and may be large.
    await source.close();
    if (client === undefined) {
      print(`done: serve it with "kedge serve --store ${shownStoreUrl(to)}"`);
      return;
    }
    if (options.resume) await compareWithSource(client, to, progress, undefined);
    if (options.follow) head = await followToTheEnd(client, options, context);
    const at = await compareWithSource(client, to, progress, head);
    const now = (await client.status()).revision;
    if (now === at) print(`done: the source is at revision ${at} too`);
    else {
      print(
        `done, at revision ${at}; the source is at ${now} by now: somebody writes to it still, and that is not taken over`,
      );
    }
  } finally {
    await source.close();
    client?.close();
  }
}

async function copyAndReadBack(
  source: Source,
  sink: ImportSink,
  options: MigrateOptions,
  progress: Progress,
  print: (line: string) => void,
): Promise<Copied> {
  print(`from ${source.name}`);
  const { description, horizon } = await source.open();
  print(`  ${description}, ${compactedAt(horizon)}`);
  print(
    `to ${shownStoreUrl(options.to)}, ${options.history ? 'with all history since then' : 'the newest of each key'}`,
  );
  const copied = await copy(source, horizon, sink, { history: options.history, progress });
  for (const remark of copied.remarks) print(`  note: ${remark}`);
  progress.begin('reading back');
  const { remarks: _, ...wanted } = copied;
  const found = await readBack(options.to);
  mustEqual('the store', wanted, found);
  progress.end(describe(found));
  return copied;
}

/** Answers the revision at which it ended. */
async function followToTheEnd(
  client: EtcdClient,
  options: MigrateOptions,
  { clock, print, finishAsked }: MigrateContext,
): Promise<Revision> {
  const writer = new LogWriter(options.to);
  try {
    const state = await writer.open();
    print(
      options.untilCaughtUp
        ? `following ${client.endpoint} until nothing is left to take over`
        : `following ${client.endpoint}: when lag is 0, stop its clients, then press Enter (or send SIGTERM) to finish`,
    );
    return await follow({
      client,
      writer,
      leases: new Set<LeaseId>(state.leases.map(({ id }) => id)),
      clock,
      onLag: (head, sourceHead) => print(`  at revision ${head}, source at ${sourceHead}, lag ${sourceHead - head}`),
      finishAsked: options.untilCaughtUp ? new Promise(() => undefined) : finishAsked(),
      untilCaughtUp: options.untilCaughtUp,
    });
  } finally {
    await writer.close();
  }
}

/**
 * Holds the store against the running source at the store's revision: by HashKV where both have the same history, else
 * key by key. Answers the revision; it must be `wanted` when that is given.
 */
async function compareWithSource(
  client: EtcdClient,
  storeUrl: string,
  progress: Progress,
  wanted: Revision | undefined,
): Promise<Revision> {
  progress.begin('comparing with the source');
  const writer = new LogWriter(storeUrl);
  try {
    const state = await writer.open();
    const at = state.cursor.revision;
    if (state.alarms.includes('corrupt')) {
      throw new Failure(`${shownStoreUrl(storeUrl)} holds what is left of an import that broke off: begin anew`);
    }
    if (at === FIRST_REVISION && wanted === undefined) {
      throw new Failure(`${shownStoreUrl(storeUrl)} is empty: there is nothing to resume, leave --resume away`);
    }
    const source = await hashAt(client, at);
    if (source === undefined) {
      if (wanted === undefined) {
        throw new Failure(`${client.endpoint} has compacted revision ${at}, where the store is: begin anew`);
      }
      progress.end(`not possible: the source has compacted revision ${at} meanwhile (the store is what was read)`);
      return at;
    }
    if (Math.max(source.compactRevision, 0) === state.horizon) {
      const found = await contentsOf(writer.log, state);
      mustEqual('the store', { head: wanted ?? at, hash: source.hash }, found);
      progress.end(`the same HashKV on both sides; ${describe(found)}`);
    } else {
      const keys = await compareLive(client, writer.log, state, at);
      progress.end(`all ${keys} keys are the same at revision ${at} (not by HashKV: the histories differ)`);
    }
    return at;
  } finally {
    await writer.close();
  }
}

/** undefined: the revision is compacted. */
async function hashAt(client: EtcdClient, at: Revision): Promise<HashKvResponse | undefined> {
  try {
    return await client.hashKv(at);
  } catch (error) {
    if (error instanceof EtcdFailure && error.message.includes('required revision has been compacted'))
      return undefined;
    throw error;
  }
}

function describe({ head, horizon, rows, keys, leases, hash }: StoreContents): string {
  return `revision ${head}, ${compactedAt(horizon)}, ${keys} keys in ${rows} rows, ${leases} leases, HashKV ${formatHash(hash)}`;
}

function compactedAt(horizon: Revision): string {
  return horizon === 0 ? 'never compacted' : `compacted at ${horizon}`;
}
