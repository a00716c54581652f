import type { Clock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { ProtobufError } from '../../base/protobuf.ts';
import type { Change, LeaseChange, LeaseId, Revision } from '../../mvcc/types.ts';
import type { LogWriter } from '../log-writer.ts';
import { type EtcdClient, EtcdFailure } from './client.ts';
import { EventQueue } from './event-queue.ts';
import { changeOf, type KeyValueMessage } from './key-value-message.ts';
import type { WatchEvent, WatchResponse } from './messages.ts';

/*
 * After the copy: what happens at the source goes on being taken over, revision by revision, until somebody says stop.
 *
 *   source ── watch of all keys from head + 1 ──▶ whole revisions ──▶ append ──▶ store (which nobody serves yet)
 *
 * A watch says which lease a key has, but not what leases there are: one that is new is asked for when a key shows it,
 * and at the end all are brought up to the source's.
 */

const LAG_EVERY_MS = 1000;
const RETRY_MS = 500;
const RETRIES_MAX = 120;
/** Events that wait for the commit under way. */
const QUEUE_BYTES_MAX = 4 * 2 ** 20;
/** Leases asked for at a time. */
const LEASES_AT_ONCE = 16;

export interface FollowOptions {
  readonly client: EtcdClient;
  readonly writer: LogWriter;
  /** The leases that the store has already. */
  readonly leases: ReadonlySet<LeaseId>;
  readonly clock: Clock;
  /** How far behind, about once a second while that changes. */
  readonly onLag: (head: Revision, sourceHead: Revision) => void;
  /** Resolves when it is time to finish: then the source's revision of that moment is still waited for. */
  readonly finishAsked: Promise<unknown>;
  /** Finish as soon as nothing is left to take over. */
  readonly untilCaughtUp: boolean;
}

/** Answers the source's revision at which it ended, which is the store's now. Rejects with a Failure. */
export async function follow(options: FollowOptions): Promise<Revision> {
  return new Follower(options).run();
}

class Follower {
  readonly #options: FollowOptions;
  readonly #leases: Set<LeaseId>;
  #sourceHead: Revision = 0;
  /** Where to end, once that is known. */
  #target: Revision | undefined;
  readonly #end = new AbortController();

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#leases = new Set(options.leases);
  }

  async run(): Promise<Revision> {
    const { finishAsked, writer } = this.#options;
    let finishing = false;
    void finishAsked.then(() => {
      finishing = true;
    });
    const lag = this.#watchLag(() => finishing);
    try {
      for (let retries = 0; !this.#done(); ) {
        const before = writer.head;
        const failure = await this.#watchOnce().then(
          () => undefined,
          (error: unknown) => error,
        );
        if (this.#done()) break;
        retries = writer.head > before ? 1 : retries + 1;
        const isPassing = failure === undefined || (failure instanceof EtcdFailure && failure.isPassing);
        if (!isPassing || retries > RETRIES_MAX) {
          throw failure ?? new Failure(`${this.#options.client.endpoint} ended the watch time and again`);
        }
        await this.#pause(RETRY_MS);
      }
    } finally {
      this.#end.abort();
      await lag;
    }
    await this.#syncLeases();
    return writer.head;
  }

  #done(): boolean {
    return this.#target !== undefined && this.#options.writer.head >= this.#target;
  }

  /** Commits take their time; what comes meanwhile goes into the next one. */
  async #watchOnce(): Promise<void> {
    const { client, writer } = this.#options;
    const queue = new EventQueue(QUEUE_BYTES_MAX);
    const broken = new AbortController();
    const applied = this.#applyAll(queue).finally(() => {
      queue.end();
      broken.abort();
    });
    // Awaited below, whatever happens before.
    applied.catch(() => undefined);
    try {
      const signal = AbortSignal.any([this.#end.signal, broken.signal]);
      for await (const response of client.watchAll(writer.head + 1, signal)) {
        this.#mustGoOn(response);
        this.#sourceHead = Math.max(this.#sourceHead, response.revision);
        await queue.add(response.events);
      }
    } finally {
      queue.end();
      await applied;
    }
  }

  #mustGoOn({ compactRevision, canceled, cancelReason }: WatchResponse): void {
    const { client, writer } = this.#options;
    if (compactRevision > 0) {
      throw new Failure(
        `${client.endpoint} compacted revision ${compactRevision} before it could be taken over (the store is at ${writer.head}): begin anew with an empty store`,
      );
    }
    if (canceled) throw new Failure(`${client.endpoint} ended the watch: ${cancelReason}`);
  }

  /** Until the queue ends and is empty, or all is there that is to be. */
  async #applyAll(queue: EventQueue): Promise<void> {
    while (!this.#done()) {
      const events = await queue.take();
      if (events.length === 0) return;
      await this.#apply(events);
    }
  }

  /** Whole revisions, in one commit. */
  async #apply(events: readonly WatchEvent[]): Promise<void> {
    const { writer, client } = this.#options;
    const changes: Change[] = [];
    const leases: LeaseChange[] = [];
    let last: Revision = writer.head;
    let sub = 0;
    for (const { kind, kv } of events) {
      if (kv.modRevision === last) sub += 1;
      else if (kv.modRevision === last + 1) sub = 0;
      else throw new Failure(`${client.endpoint} told revision ${kv.modRevision} after ${last}: begin anew`);
      // A second part of a revision that is committed already cannot be.
      if (kv.modRevision === writer.head) throw new Failure(`${client.endpoint} told revision ${last} in two parts`);
      last = kv.modRevision;
      changes.push(this.#change(kind, kv, sub));
      if (kind === 'put' && kv.lease !== 0n && !this.#leases.has(kv.lease)) {
        leases.push(...(await this.#newLease(kv.lease)));
      }
    }
    if (changes.length > 0) await writer.append(changes, leases);
  }

  #change(kind: 'put' | 'delete', kv: KeyValueMessage, sub: number): Change {
    try {
      return changeOf({ kind, revision: kv.modRevision, sub }, kv);
    } catch (error) {
      if (!(error instanceof ProtobufError)) throw error;
      throw new Failure(`${this.#options.client.endpoint} told what cannot be: ${error.message}`, { cause: error });
    }
  }

  /** One that is gone again already leaves its keys for as long as it takes until the watch tells of their end. */
  async #newLease(id: LeaseId): Promise<LeaseChange[]> {
    this.#leases.add(id);
    const { grantedTtl } = await this.#options.client.leaseTimeToLive(id);
    return grantedTtl > 0 ? [{ kind: 'grant', id, ttl: grantedTtl }] : [];
  }

  /** At the end: those that are new, those that are gone, and how long each has left. */
  async #syncLeases(): Promise<void> {
    const { client, writer } = this.#options;
    const ids = await client.leases();
    const changes: LeaseChange[] = [];
    for (let i = 0; i < ids.length; i += LEASES_AT_ONCE) {
      const some = ids.slice(i, i + LEASES_AT_ONCE);
      const lives = await Promise.all(some.map((id) => client.leaseTimeToLive(id)));
      some.forEach((id, n) => {
        const { ttl = 0, grantedTtl = 0 } = lives[n] ?? {};
        if (grantedTtl <= 0) return;
        if (!this.#leases.has(id)) changes.push({ kind: 'grant', id, ttl: grantedTtl });
        if (ttl > 0 && ttl < grantedTtl) changes.push({ kind: 'checkpoint', id, remainingTtl: ttl });
      });
    }
    // The keys of those that are gone are gone too, unless the source went on after our last revision: then they are to
    // go as soon as the store is served.
    const isAsOurs = (await client.status()).revision === writer.head;
    const there = new Set(ids);
    for (const id of this.#leases) {
      if (there.has(id)) continue;
      changes.push(isAsOurs ? { kind: 'revoke', id } : { kind: 'checkpoint', id, remainingTtl: 1 });
    }
    if (changes.length > 0) await writer.append([], changes);
  }

  /** Asks the source where it is, tells the lag, and decides when it is time to end. */
  async #watchLag(isFinishing: () => boolean): Promise<void> {
    const { client, writer, onLag, untilCaughtUp } = this.#options;
    let told = '';
    while (!this.#end.signal.aborted) {
      const head = await client.status().then(
        ({ revision }) => revision,
        () => undefined, // The watch meets the same trouble, and tells of it.
      );
      if (head !== undefined) {
        this.#sourceHead = Math.max(this.#sourceHead, head);
        const isDue = isFinishing() || (untilCaughtUp && writer.head >= head);
        if (isDue) this.#target ??= head;
        const now = `${writer.head} ${this.#sourceHead}`;
        if (now !== told) onLag(writer.head, this.#sourceHead);
        told = now;
        // Nothing more may come that would wake the watch up.
        if (this.#done()) {
          this.#end.abort();
          return;
        }
      }
      await this.#pause(isFinishing() ? LAG_EVERY_MS / 10 : LAG_EVERY_MS / 4);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(ms, resolve);
    });
  }
}
