import type { Clock } from '../base/clock.ts';
import type { KeyValue, RequestOp } from '../etcd/messages/kv-table.ts';
import type { Value } from '../etcd/messages/schema.ts';
import type { Connection } from './connection.ts';
import { ClientExit, ExitError } from './exit-error.ts';
import { prefixRange } from './key-range.ts';
import { KvMethod } from './kv-methods.ts';
import { CLIENT_LIMITS } from './limits.ts';
import type { WatchEvent } from './views/watch-view.ts';
import { Watcher } from './watcher.ts';

type Pair = Partial<Value<typeof KeyValue>>;

export interface Mirror {
  readonly source: Connection;
  readonly target: Connection;
  readonly clock: Clock;
  readonly prefix: string;
  /** Instead of `prefix`. */
  readonly targetPrefix: string;
  /** 0: everything that is there now, then what changes. */
  readonly startRevision: number;
  /** Told now and then how many keys were written. */
  onProgress(keys: number): void;
}

const PROGRESS_MS = 30_000;
const NO_BYTES = new Uint8Array(0);

/** Copies and follows until the source cancels the watch. Rejects with RpcError, ExitError. */
export async function mirror(task: Mirror): Promise<never> {
  let keys = 0;
  const tellLater = (): void => {
    task.clock.after(PROGRESS_MS, () => {
      task.onProgress(keys);
      tellLater();
    });
  };
  tellLater();
  let from = task.startRevision;
  if (from === 0) {
    for await (const { pairs, revision } of pages(task)) {
      for (let i = 0; i < pairs.length; i += CLIENT_LIMITS.mirrorPutsAtATimeMax) {
        const some = pairs.slice(i, i + CLIENT_LIMITS.mirrorPutsAtATimeMax);
        await Promise.all(
          some.map(({ key, value = NO_BYTES }) => task.target.call(KvMethod.put, { key: renamed(key, task), value })),
        );
        keys += some.length;
      }
      from = revision;
    }
  }
  const watcher = new Watcher(task.source, { ...prefixRange(task.prefix), start_revision: from + 1 });
  for await (const { response, reason } of watcher.events()) {
    if (reason !== undefined) throw new ExitError(ClientExit.error, reason);
    for (const ops of transactions(response.events, task)) {
      await task.target.call(KvMethod.txn, { success: ops });
      keys += ops.length;
    }
  }
  throw new ExitError(ClientExit.error, 'the watch of the source ended');
}

/** All that is there at one revision, page by page. */
async function* pages({ source, prefix }: Mirror): AsyncGenerator<{ pairs: readonly Pair[]; revision: number }> {
  const { range_end, ...first } = prefixRange(prefix);
  let key = first.key;
  let revision = 0;
  for (;;) {
    const response = await source.call(KvMethod.range, {
      key,
      range_end,
      revision,
      limit: CLIENT_LIMITS.mirrorPageKeysMax,
    });
    revision ||= response.header?.revision ?? 0;
    yield { pairs: response.kvs, revision };
    const last = response.kvs.at(-1)?.key;
    if (!response.more || last === undefined) return;
    // The smallest key behind the last one.
    key = Buffer.concat([last, Buffer.of(0)]);
  }
}

/** Events of one revision together: what was one transaction stays one. */
function* transactions(events: readonly WatchEvent[], task: Mirror): Generator<Partial<Value<typeof RequestOp>>[]> {
  let ops: Partial<Value<typeof RequestOp>>[] = [];
  let revision = 0;
  for (const { type = 0, kv = {} } of events) {
    const at = kv.mod_revision ?? 0;
    if (at !== revision && ops.length > 0) {
      yield ops;
      ops = [];
    }
    revision = at;
    const key = renamed(kv.key, task);
    const value = kv.value ?? NO_BYTES;
    ops.push(type === 0 ? { request_put: { key, value } } : { request_delete_range: { key } });
  }
  if (ops.length > 0) yield ops;
}

function renamed(key: Uint8Array = NO_BYTES, { prefix, targetPrefix }: Mirror): Uint8Array {
  return Buffer.concat([Buffer.from(targetPrefix), key.subarray(Buffer.byteLength(prefix))]);
}
