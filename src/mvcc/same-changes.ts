import { compareBytes } from './range.ts';
import type { Change } from './types.ts';

/** Whether two pieces of a log say the same. */
export function sameChanges(a: readonly Change[], b: readonly Change[]): boolean {
  if (a.length !== b.length) return false;
  return a.every((change, i) => {
    const other = b[i];
    return (
      other !== undefined &&
      change.kind === other.kind &&
      change.key === other.key &&
      change.revision === other.revision &&
      change.sub === other.sub &&
      change.createRevision === other.createRevision &&
      change.version === other.version &&
      change.lease === other.lease &&
      compareBytes(change.value, other.value) === 0
    );
  });
}
