import type { EtcdClient } from '../support/client.ts';
import type { RequestOp } from '../support/messages.ts';
import type { Random } from '../support/random.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Writes of all kinds, so that a store has something of everything; a seed makes them the same again. */
export class Workload {
  readonly #client: EtcdClient;
  readonly #random: Random;
  readonly #leases: bigint[] = [];
  readonly #keys: number;

  constructor(client: EtcdClient, random: Random, keys = 60) {
    this.#client = client;
    this.#random = random;
    this.#keys = keys;
  }

  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps; i += 1) await this.step();
  }

  async step(): Promise<void> {
    const kind = this.#random.below(20);
    if (kind === 0) await this.#grant();
    else if (kind === 1) await this.#client.call('KV/DeleteRange', { key: this.#key(), range_end: bytes('k3') });
    else if (kind < 5) await this.#client.call('KV/DeleteRange', { key: this.#key() });
    else if (kind < 9) await this.#txn();
    else if (kind === 9 && this.#leases.length > 6) await this.#revoke();
    else await this.#client.call('KV/Put', { key: this.#key(), value: this.#value(), lease: this.#lease() });
  }

  async compactAt(back: number): Promise<void> {
    const { header } = await this.#client.call('KV/Range', { key: bytes('k') });
    await this.#client.call('KV/Compact', { revision: Number(header?.revision) - back, physical: true });
  }

  /** What a client can see: HashKV, every key, every lease's TTL. */
  static async shown(client: EtcdClient): Promise<object> {
    const hash = await client.call('Maintenance/HashKV', {});
    const range = await client.call('KV/Range', { key: bytes('\0'), range_end: bytes('\0') });
    const leases = await client.call('Lease/LeaseLeases', {});
    const ttls = await Promise.all(
      leases.leases.map(async ({ ID }) => {
        const { grantedTTL, keys } = await client.call('Lease/LeaseTimeToLive', { ID, keys: true });
        return `${ID} ${grantedTTL} ${keys.map(String).sort().join()}`;
      }),
    );
    return {
      hash: hash.hash,
      compacted: hash.compact_revision,
      revision: range.header?.revision,
      kvs: range.kvs.map(({ key, value, ...rest }) => ({
        key: key.toString('latin1'),
        value: value.toString('latin1'),
        ...rest,
      })),
      leases: ttls.sort(),
    };
  }

  async #grant(): Promise<void> {
    const { ID } = await this.#client.call('Lease/LeaseGrant', { TTL: this.#random.between(2000, 9000) });
    this.#leases.push(BigInt(ID));
  }

  async #revoke(): Promise<void> {
    const [id] = this.#leases.splice(this.#random.below(this.#leases.length), 1);
    if (id !== undefined) await this.#client.call('Lease/LeaseRevoke', { ID: id });
  }

  async #txn(): Promise<void> {
    const used = new Set<string>();
    const success: RequestOp[] = [];
    for (let i = this.#random.between(1, 6); i > 0; i -= 1) {
      const key = this.#key();
      if (used.has(key.toString('latin1'))) continue;
      used.add(key.toString('latin1'));
      success.push(
        this.#random.below(4) === 0
          ? { request_delete_range: { key } }
          : { request_put: { key, value: this.#value(), lease: this.#lease() } },
      );
    }
    await this.#client.call('KV/Txn', { success });
  }

  #key(): Buffer {
    return bytes(`k${this.#random.below(this.#keys)}${this.#random.below(30) === 0 ? '\xff\x00' : ''}`);
  }

  #value(): Buffer {
    const length = this.#random.below(50) === 0 ? 20_000 : this.#random.below(100);
    return Buffer.alloc(length, this.#random.below(256));
  }

  #lease(): bigint {
    return this.#random.below(5) === 0 ? (this.#leases[this.#random.below(this.#leases.length || 1)] ?? 0n) : 0n;
  }
}
