import type { EtcdVersion } from '../support/etcd.ts';
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  WatchCreateRequest,
} from '../support/messages.ts';
import type { Random } from '../support/random.ts';
import type { Step } from './step.ts';

const INT64_MAX = '9223372036854775807';
const INT64_MIN = '-9223372036854775808';

/** Few keys, so that they meet often; hard ones among them. */
const keys = ['a', 'ab', 'abc', 'b', 'ba', 'c', 'C', 'd', '\0', '\0\0', 'a\0', '\xff', '\xff\xff', 'z\x80'].map((key) =>
  Buffer.from(key, 'latin1'),
);

/** What the generator knows of the stores: enough to ask for things near what is there. */
export interface Knowledge {
  readonly revision: number;
  readonly compacted: number;
}

/** Invents steps: every shape of request, mostly sensible, sometimes not. The same random numbers and knowledge give the same steps. */
export class Generator {
  private readonly random: Random;
  private readonly version: EtcdVersion;

  constructor(random: Random, version: EtcdVersion) {
    this.random = random;
    this.version = version;
  }

  next(known: Knowledge): Step[] {
    const die = this.random.below(100);
    if (die < 22) return [{ kind: 'call', method: 'KV/Put', request: this.put() }];
    if (die < 42) return [{ kind: 'call', method: 'KV/Range', request: this.range(known) }];
    if (die < 50) return [{ kind: 'call', method: 'KV/DeleteRange', request: this.deleteRange() }];
    if (die < 70) return [{ kind: 'call', method: 'KV/Txn', request: this.txn(known, 0) }];
    if (die < 73) return this.compact(known);
    if (die < 84) return [this.lease()];
    if (die < 94) return this.watch(known);
    if (die < 97) return [{ kind: 'settle' }];
    if (die < 99)
      return [{ kind: 'call', method: 'Maintenance/HashKV', request: { revision: this.hashRevision(known) } }];
    return [this.odd()];
  }

  private key(): Buffer {
    return this.random.chance(2) ? Buffer.alloc(0) : this.random.pick(keys);
  }

  /** No end, to the last key, a prefix, or some other key, before or behind. Never there and empty: see rightDifferences of range_end. */
  private keyAndEnd(singlePercent: number, openPercent = 30): { readonly key: Buffer; readonly range_end?: Buffer } {
    const key = this.key();
    if (this.random.chance(singlePercent)) return { key };
    if (this.random.chance(openPercent)) return { key, range_end: Buffer.from([0]) };
    const last = key.at(-1);
    if (this.random.chance(40) && last !== undefined && last < 255) {
      return { key, range_end: Buffer.concat([key.subarray(0, -1), Buffer.from([last + 1])]) };
    }
    return { key, range_end: this.random.pick(keys) };
  }

  private put(): PutRequest {
    const r = this.random;
    return {
      key: this.key(),
      value: r.chance(10) ? Buffer.alloc(0) : r.bytes(r.below(r.chance(5) ? 4000 : 12)),
      lease: r.chance(25) ? this.leaseId() : 0,
      prev_kv: r.chance(30),
      ignore_value: r.chance(5),
      ignore_lease: r.chance(5),
    };
  }

  private leaseId(): string {
    return this.random.pick(['1', '2', '3', '4', '-7', INT64_MAX, INT64_MIN]);
  }

  private revision(known: Knowledge): number | string {
    const die = this.random.below(100);
    if (die < 60) return 0;
    if (die < 85) return this.random.between(known.compacted, known.revision);
    if (die < 90) return known.compacted;
    if (die < 94) return this.random.between(0, known.compacted);
    if (die < 97) return known.revision + this.random.between(0, 2);
    return this.random.pick([-1, INT64_MAX, INT64_MIN]);
  }

  private bound(known: Knowledge): number {
    return this.random.chance(85) ? 0 : this.random.between(-1, known.revision + 1);
  }

  private range(known: Knowledge): RangeRequest {
    const r = this.random;
    const sorted = r.chance(25);
    return {
      ...this.keyAndEnd(30),
      limit: r.chance(60) ? 0 : r.pick([1, 1, 2, 3, 5, 100, -1, INT64_MAX]),
      revision: this.revision(known),
      sort_order: sorted ? r.below(3) : 0,
      sort_target: sorted ? r.below(5) : 0,
      serializable: r.chance(20),
      keys_only: r.chance(15),
      count_only: r.chance(10),
      min_mod_revision: this.bound(known),
      max_mod_revision: this.bound(known),
      min_create_revision: this.bound(known),
      max_create_revision: this.bound(known),
    };
  }

  private deleteRange(): DeleteRangeRequest {
    return { ...this.keyAndEnd(60), prev_kv: this.random.chance(40) };
  }

  private compare(known: Knowledge): Compare {
    const r = this.random;
    const base = { ...this.keyAndEnd(75), result: r.below(4) };
    switch (r.below(6)) {
      case 0:
        return { ...base, target: 'VERSION', version: r.between(-1, 4) };
      case 1:
        return { ...base, target: 'CREATE', create_revision: r.between(0, known.revision) };
      case 2:
        return { ...base, target: 'MOD', mod_revision: r.between(0, known.revision) };
      case 3:
        return { ...base, target: 'VALUE', value: r.bytes(r.below(3)) };
      case 4:
        return { ...base, target: 'LEASE', lease: r.chance(50) ? 0 : this.leaseId() };
      default:
        return { ...base, target: r.below(5) };
    }
  }

  private ops(known: Knowledge, depth: number, puts: boolean): RequestOp[] {
    return Array.from({ length: this.random.below(depth === 0 ? 5 : 3) }, () => this.op(known, depth, puts));
  }

  private op(known: Knowledge, depth: number, puts: boolean): RequestOp {
    const die = this.random.below(100);
    if (die < 35 && puts) return { request_put: this.put() };
    if (die < 70)
      return { request_range: { ...this.range(known), revision: this.random.chance(80) ? 0 : this.revision(known) } };
    if (die < 86 && !(puts && depth > 0)) {
      return { request_delete_range: { ...this.keyAndEnd(60, puts ? 0 : 30), prev_kv: this.random.chance(40) } };
    }
    if (die < 99 && depth < 3) return { request_txn: this.txn(known, depth + 1, puts) };
    return {};
  }

  /**
   * A transaction that puts deletes at the top only and never up to the last key: etcd's refusal of duplicate keys has
   * holes there (script txn-duplicate-key), and after a compaction it falls over a key that was put and deleted at one revision.
   */
  private txn(known: Knowledge, depth: number, puts = this.random.chance(75)): TxnRequest {
    const compares = this.random.pick([0, 0, 1, 1, 1, 2, 3]);
    return {
      compare: Array.from({ length: compares }, () => this.compare(known)),
      success: this.ops(known, depth, puts),
      failure: this.ops(known, depth, puts),
    };
  }

  /** Watches settle first: what a watch still finds of the past while a compaction runs is timing. */
  private compact(known: Knowledge): Step[] {
    const r = this.random;
    const revision = r.chance(70)
      ? r.between(known.compacted + 1, known.revision)
      : r.pick([Math.max(1, known.compacted), known.revision, known.revision + 1, -1, INT64_MAX]);
    return [{ kind: 'settle' }, { kind: 'call', method: 'KV/Compact', request: { revision, physical: true } }];
  }

  private lease(): Step {
    const r = this.random;
    switch (r.below(6)) {
      case 0:
      case 1: {
        const ttl = r.chance(95) ? r.between(3600, 7200) : r.pick(['9000000001', INT64_MAX]);
        return { kind: 'call', method: 'Lease/LeaseGrant', request: { ID: this.leaseId(), TTL: ttl } };
      }
      case 2:
        return { kind: 'call', method: 'Lease/LeaseRevoke', request: { ID: r.chance(95) ? this.leaseId() : 0 } };
      case 3:
        return { kind: 'call', method: 'Lease/LeaseTimeToLive', request: { ID: this.leaseId(), keys: r.chance(70) } };
      case 4:
        return { kind: 'keepalive', id: this.leaseId() };
      default:
        return { kind: 'call', method: 'Lease/LeaseLeases', request: {} };
    }
  }

  private watch(known: Knowledge): Step[] {
    const r = this.random;
    const stream = r.below(2);
    const request =
      r.below(10) < 7 ? { create_request: this.watchCreate(known) } : { cancel_request: { watch_id: r.below(8) } };
    // What is still under way when a watch ends, or begins under an id used before, is timing.
    return [{ kind: 'settle' }, { kind: 'watch', stream, request }];
  }

  private watchCreate(known: Knowledge): WatchCreateRequest {
    const r = this.random;
    const die = r.below(10);
    const past = r.between(
      this.version === '3.4' ? 1 : known.compacted === 0 ? 1 : known.compacted - 1,
      known.revision,
    );
    const start = die < 5 ? 0 : die < 9 ? past : this.version === '3.4' ? 1 : r.pick([-1, 1, INT64_MIN]);
    return {
      ...this.keyAndEnd(40),
      start_revision: start,
      filters: r.chance(80) ? [] : [r.pick(['NOPUT', 'NODELETE'])],
      prev_kv: r.chance(40),
      watch_id: r.chance(80) ? 0 : r.below(8),
      fragment: r.chance(20),
    };
  }

  private hashRevision(known: Knowledge): number {
    if (this.version === '3.4' || this.random.chance(40) || known.compacted >= known.revision) return 0;
    return this.random.between(known.compacted + 1, known.revision + 1);
  }

  private odd(): Step {
    const r = this.random;
    if (r.chance(30)) return { kind: 'restart' };
    if (r.chance(50)) return { kind: 'call', method: 'Maintenance/Defragment', request: {} };
    return { kind: 'call', method: 'Cluster/MemberPromote', request: { ID: 99 } };
  }
}
