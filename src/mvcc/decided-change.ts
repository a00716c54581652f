import { KeyEntry } from './key-entry.ts';
import type { KeyVersion } from './key-history.ts';
import { MessageChange } from './message-change.ts';
import type { Change, Key, LeaseId, Revision } from './types.ts';

/**
 * A change as it is decided here. It remembers where in the index its key was found, so that the Tail need not look for
 * it again: in an index of a million keys that is most of what applying a change costs. Copies of it are plain changes.
 */
export class DecidedChange implements Change {
  readonly kind: 'put' | 'delete';
  readonly key: Key;
  readonly revision: Revision;
  readonly sub: number;
  readonly createRevision: Revision;
  readonly version: number;
  readonly lease: LeaseId;
  readonly value: Uint8Array;
  readonly #entry: KeyEntry | undefined;

  /** `before`: the version that it takes the place of, as it was found. The other fields are as in Change. */
  constructor(
    key: Key,
    revision: Revision,
    sub: number,
    createRevision: Revision,
    version: number,
    lease: LeaseId,
    value: Uint8Array,
    before: KeyVersion | undefined,
  ) {
    this.kind = version === 0 ? 'delete' : 'put';
    this.key = key;
    this.revision = revision;
    this.sub = sub;
    this.createRevision = createRevision;
    this.version = version;
    this.lease = lease;
    this.value = value;
    this.#entry = before instanceof KeyEntry ? before : before && entryOf(before);
  }

  /** The entry of the change's key, if it is known. It may have left the index since: `KeyIndex.upsert` takes care. */
  static entryOf(change: object): KeyEntry | undefined {
    return #entry in change ? change.#entry : undefined;
  }
}

/** Of its key, as it was found when the change was decided here, or read that others have decided. As DecidedChange.entryOf. */
export function entryOf(change: object): KeyEntry | undefined {
  return change instanceof MessageChange ? change.entry : DecidedChange.entryOf(change);
}
