import { logFor } from '../../src/log/engines.ts';
import type { AppendResult } from '../../src/mvcc/log.ts';
import { batchAfter, headAfter } from './batches.ts';

/*
 * A process that appends to a store until it is killed. argv: store URL, appends in flight.
 * Tells its parent: { opened: head }, { committed: head }, { failed: code, message, readable }, { refused: … }.
 */

const [url = '', inFlight = '1'] = process.argv.slice(2);
const log = logFor(url);
let head: number;
try {
  head = (await log.open()).cursor.revision;
} catch (error) {
  process.send?.({ refused: error instanceof Error ? error.message : String(error) });
  process.exit(0);
}
process.send?.({ opened: head });

// Like the Writer's pipeline: the next batch leaves before the last one is answered.
const waiting: { readonly after: number; readonly result: Promise<AppendResult> }[] = [];
for (;;) {
  while (waiting.length < Number(inFlight)) {
    const batch = batchAfter(head);
    head = headAfter(head);
    waiting.push({ after: head, result: log.append(batch) });
  }
  const next = waiting.shift();
  if (next === undefined) continue;
  let kind: string;
  try {
    kind = (await next.result).kind;
  } catch (error) {
    for (const other of waiting.splice(0)) await other.result.catch(() => {});
    head = await log.head();
    const found = await log.changes(head - 1, 1);
    const { code, message } = error as { code: string; message: string };
    process.send?.({ failed: code, message, readable: found.length > 0 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    continue;
  }
  // Nobody else appends to this store.
  if (kind !== 'committed') throw new Error(`an append was answered with ${kind}`);
  process.send?.({ committed: next.after });
}
