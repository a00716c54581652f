import type { RangeResponse } from '../etcd/messages/kv-table.ts';
import type { Value } from '../etcd/messages/schema.ts';
import type { Connection } from './connection.ts';
import type { KeyRange } from './key-range.ts';
import { KvMethod } from './kv-methods.ts';
import { Watcher } from './watcher.ts';

type Answer = Partial<Value<typeof RangeResponse>>;

/**
 * Who leads an election, now and after each change: the head of a line of keys (`waiting-line.ts`), as an answer that
 * holds its key. Ends when the watch is cancelled.
 */
export async function* leaders(connection: Connection, range: KeyRange): AsyncGenerator<Answer> {
  for (;;) {
    const response = await connection.call(KvMethod.range, { ...range, sort_order: 1, sort_target: 2, limit: 1 });
    const revision = response.header?.revision ?? 0;
    const head = response.kvs[0];
    if (head !== undefined) yield response;
    const wanted = head === undefined ? { ...range } : { key: head.key ?? range.key };
    const watcher = new Watcher(connection, { ...wanted, start_revision: revision + 1 });
    let changed = false;
    for await (const { response: watched } of watcher.events()) {
      if (watched.canceled) return;
      for (const event of watched.events) {
        const isPut = (event.type ?? 0) === 0;
        // The head tells something new of itself; or it left, or came, and who it is now must be read.
        if (head !== undefined && isPut && event.kv !== undefined) {
          yield { ...(watched.header === undefined ? {} : { header: watched.header }), kvs: [event.kv] };
        } else changed ||= head === undefined ? isPut : !isPut;
      }
      if (changed) break;
    }
    watcher.cancel();
  }
}
