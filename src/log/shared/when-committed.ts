import type { BatchesBelow } from '../../mvcc/batches-below.ts';
import type { AppendResult } from '../../mvcc/log.ts';

/** Sends an append in the step in which those below it are known to be committed; never, if they are waited for no more. */
export function whenCommitted(
  below: BatchesBelow | undefined,
  send: () => Promise<AppendResult>,
): Promise<AppendResult> {
  if (below === undefined) return send();
  return new Promise((resolve) => {
    below.onKnown((areCommitted) => resolve(areCommitted ? send() : { kind: 'moved' }));
  });
}
