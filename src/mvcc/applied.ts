import type { KeyValueBytes } from './requests.ts';
import type { Change, Revision } from './types.ts';

/** What the Tail tells of a batch that it has just applied to the index. Valid during the call only; copy what you keep. */
export interface AppliedBatch {
  /** In log order, whole transactions. */
  readonly changes: readonly Change[];
  /** The applied head, the batch included. */
  readonly head: Revision;
  /** The KeyValue message of changes[i]; for a delete: key and mod_revision only. */
  kv(i: number): KeyValueBytes;
  /**
   * The KeyValue message of changes[i]'s key as its transaction found it, when it `replaces` that; undefined when the
   * key was not there; 'elsewhere' when it is not in memory and must be read through History. Only asked for when
   * `AppliedListener.wantsPrevious` was true beforehand.
   */
  previous(i: number): KeyValueBytes | undefined | 'elsewhere';
}

/** Who hears of applied batches (the WatchHub). Called synchronously, before the batch's writers are answered. */
export interface AppliedListener {
  readonly wantsPrevious: boolean;
  onApplied(batch: AppliedBatch): void;
  /** The horizon moved. */
  onCompacted(horizon: Revision): void;
}

/** The past, for watchers that catch up. */
export interface History {
  /** The applied head. */
  readonly head: Revision;
  readonly horizon: Revision;
  /** As Log.changes, but never beyond the applied head. */
  changes(after: Revision, bytesMax: number): Promise<readonly Change[]>;
  /**
   * The KeyValue message of each key as it was before the given revision; undefined when it was not there or is compacted
   * away. The bytes belong to the caller.
   */
  previous(of: readonly Pick<Change, 'key' | 'revision'>[]): Promise<readonly (KeyValueBytes | undefined)[]>;
}

/**
 * Whether a watcher may be told what was there before: etcd looks the key up at the revision before the change's, but
 * for a put that has made the key, as its revisions say.
 */
export function replaces({ kind, createRevision, revision }: Change): boolean {
  return kind === 'delete' || createRevision !== revision;
}
