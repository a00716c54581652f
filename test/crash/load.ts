import { EtcdClient, RpcError } from '../support/client.ts';
import type { RequestOp, TxnResponse } from '../support/messages.ts';
import type { Random } from '../support/random.ts';
import type { Group, Version } from './journal.ts';

const WORKERS = 24;
const GROUPS_PER_WORKER = 3;
const KEYS_PER_GROUP = 3;
/** Revisions; a watch that is resumed after a crash is never that far behind. */
const COMPACTION_LAG = 300;

/** Writers that a server dies under: each transaction puts or deletes a whole group of keys, so that a half one would show. */
export class Load {
  readonly groups: Group[] = [];
  /** The newest revision that any answer told. */
  acknowledgedRevision = 0;
  /** The newest revision that compaction was asked for: one without an answer may have moved the horizon all the same. */
  compacted = 0;
  writes = 0;
  private readonly random: Random;
  private running = false;
  private counter = 0;

  constructor(random: Random) {
    this.random = random;
    for (let g = 0; g < WORKERS * GROUPS_PER_WORKER; g++) {
      const keys = Array.from({ length: KEYS_PER_GROUP }, (_, k) => Buffer.from(`/crash/${k}/group-${g}`));
      this.groups.push({ keys, acknowledged: undefined, unanswered: [] });
    }
  }

  /** Writes until the server is gone or stop is called. */
  async run(endpoint: string): Promise<void> {
    this.running = true;
    const client = new EtcdClient(endpoint);
    const workers = Array.from({ length: WORKERS }, (_, w) => this.work(client, w));
    await Promise.all([...workers, this.compactNowAndThen(client)]);
    client.close();
  }

  stop(): void {
    this.running = false;
  }

  private async work(client: EtcdClient, worker: number): Promise<void> {
    while (this.running) {
      const group = this.groups[worker * GROUPS_PER_WORKER + this.random.below(GROUPS_PER_WORKER)];
      if (group === undefined) return;
      const value = this.random.chance(15) ? undefined : `${this.counter++} ${'x'.repeat(this.random.below(2000))}`;
      group.unanswered.push(value);
      try {
        this.acknowledge(group, value, await client.call('KV/Txn', { success: ops(group, value) }));
      } catch (error) {
        if (error instanceof RpcError) return; // The server is gone; what was asked for stays unanswered.
        throw error;
      }
    }
  }

  private acknowledge(group: Group, value: string | undefined, answer: TxnResponse): void {
    const revision = Number(answer.header?.revision);
    this.acknowledgedRevision = Math.max(this.acknowledgedRevision, revision);
    const version: Version = { revision, value };
    group.unanswered.length = 0;
    group.acknowledged = version;
    this.writes++;
  }

  private async compactNowAndThen(client: EtcdClient): Promise<void> {
    while (this.running) {
      await new Promise((resolve) => setTimeout(resolve, this.random.between(50, 150)));
      const revision = this.acknowledgedRevision - COMPACTION_LAG;
      if (revision <= this.compacted) continue;
      this.compacted = revision;
      try {
        await client.call('KV/Compact', { revision, physical: this.random.chance(50) });
      } catch (error) {
        if (error instanceof RpcError) return;
        throw error;
      }
    }
  }
}

function ops(group: Group, value: string | undefined): RequestOp[] {
  return group.keys.map((key) =>
    value === undefined ? { request_delete_range: { key } } : { request_put: { key, value: Buffer.from(value) } },
  );
}
