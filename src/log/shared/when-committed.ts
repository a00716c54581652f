import type { BatchBelow } from '../../mvcc/batch-below.ts';
import type { AppendResult } from '../../mvcc/log.ts';

/** Sends an append in the step in which the one below it is known to be committed; never, if that is waited for no more. */
export function whenCommitted(below: BatchBelow | undefined, send: () => Promise<AppendResult>): Promise<AppendResult> {
  if (below === undefined) return send();
  return new Promise((resolve) => {
    below.onKnown((isCommitted) => resolve(isCommitted ? send() : { kind: 'moved' }));
  });
}
