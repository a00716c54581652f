import type { KeyValueBytes } from '../../src/mvcc/requests.ts';
import type { Revision } from '../../src/mvcc/types.ts';
import type { EventBatch, Watcher, WatchSink } from '../../src/mvcc/watch.ts';
import { show } from './model-history.ts';

/** Writes down what one or more watchers get, as lines. Full after `room` batches until given more. */
export class RecordingSink implements WatchSink {
  readonly lines = new Map<Watcher, string[]>();
  readonly headers = new Map<Watcher, Revision[]>();
  readonly compacted = new Map<Watcher, Revision>();
  readonly errors = new Map<Watcher, Error>();
  /** In the order in which they caught up. */
  readonly live: Watcher[] = [];
  room = Number.POSITIVE_INFINITY;
  batches = 0;

  onEvents(watcher: Watcher, batch: EventBatch): boolean {
    if (this.room <= 0) throw new Error('called though full');
    this.room -= 1;
    this.batches += 1;
    const lines = this.lines.get(watcher) ?? [];
    this.lines.set(watcher, lines);
    for (const event of batch.events) lines.push(line(event.kind, event.kv, event.prevKv));
    const headers = this.headers.get(watcher) ?? [];
    this.headers.set(watcher, headers);
    headers.push(batch.revision);
    return this.room > 0;
  }

  onCompacted(watcher: Watcher, compactRevision: Revision): void {
    this.compacted.set(watcher, compactRevision);
  }

  onError(watcher: Watcher, error: Error): void {
    this.errors.set(watcher, error);
  }

  onLive(watcher: Watcher): void {
    this.live.push(watcher);
  }

  of(watcher: Watcher): readonly string[] {
    return this.lines.get(watcher) ?? [];
  }
}

export function line(kind: string, kv: KeyValueBytes, prevKv: KeyValueBytes | undefined): string {
  return `${kind} ${show(kv)}${prevKv === undefined ? '' : ` was ${show(prevKv)}`}`;
}
