import type { Change, LeaseRecord, Revision, StoredRecord } from './types.ts';

/** What a store is made of besides its rows. */
export interface ImportState {
  readonly head: Revision;
  /** 0: the whole history is there. */
  readonly horizon: Revision;
  readonly leases: readonly LeaseRecord[];
  readonly records: readonly StoredRecord[];
}

/**
 * Makes a store of rows that somebody else committed: their revisions are kept, whatever gaps compaction has left. An
 * engine has one of its own where it can do better than append. One import, one sink:
 *
 *     begin ─▶ write* ─▶ finish        or abort at any moment
 *
 * Only finish makes a store of it: what is left of an import that broke off is never taken for one.
 */
export interface ImportSink {
  /** Refuses (LogError `refused`, or a Failure) when there is something at the place already. */
  begin(): Promise<void>;
  /** Rows in log order, each once. Each call about one commit. */
  write(changes: readonly Change[]): Promise<void>;
  /** Everything is there: makes it durable, and only then a store. */
  finish(state: ImportState): Promise<void>;
  /** Takes away what was written as far as that is possible. Idempotent; nothing happens after finish. */
  abort(): Promise<void>;
}
