import type { EtcdClient } from '../support/client.ts';
import type { Event, KeyValue } from '../support/messages.ts';

/*
 * What etcd's clients make of keys, leases, transactions and watches alone: queues and barriers, as its Go client's
 * recipes do it. A server has no code for them; it must keep order, decide races once, and lose no event.
 */

const b = (text: string): Buffer => Buffer.from(text);
/** All keys that begin so. */
const under = (prefix: string): { readonly key: Buffer; readonly range_end: Buffer } => ({
  key: b(prefix),
  range_end: b(`${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`),
});

/** Elements come out in the order in which they were put in, each to one of those who take. */
export class Queue {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  /** The oldest first; a queue by priority: the smallest key first. */
  readonly #byKey: boolean;

  constructor(client: EtcdClient, prefix: string, byKey = false) {
    this.#client = client;
    this.#prefix = prefix;
    this.#byKey = byKey;
  }

  /** `name` must be new: who comes second with it is refused. */
  async put(name: string, value: string): Promise<boolean> {
    const key = b(`${this.#prefix}${name}`);
    const { succeeded } = await this.#client.call('KV/Txn', {
      compare: [{ key, target: 'VERSION', result: 'EQUAL', version: 0 }],
      success: [{ request_put: { key, value: b(value) } }],
    });
    return succeeded;
  }

  /** Waits until there is one. */
  async take(): Promise<string> {
    for (;;) {
      const { header, kvs } = await this.#client.call('KV/Range', {
        ...under(this.#prefix),
        limit: 1,
        sort_order: 'ASCEND',
        sort_target: this.#byKey ? 'KEY' : 'CREATE',
      });
      const [first] = kvs;
      if (first !== undefined) {
        if (await this.#claim(first)) return first.value.toString();
        continue;
      }
      await eventAfter(this.#client, under(this.#prefix), Number(header?.revision), 'PUT');
    }
  }

  /** Whether it was us who took it. */
  async #claim({ key, mod_revision }: KeyValue): Promise<boolean> {
    const { succeeded } = await this.#client.call('KV/Txn', {
      compare: [{ key, target: 'MOD', result: 'EQUAL', mod_revision }],
      success: [{ request_delete_range: { key } }],
    });
    return succeeded;
  }
}

/** A key that holds everybody up for as long as it is there. */
export class Barrier {
  readonly #client: EtcdClient;
  readonly #key: Buffer;

  constructor(client: EtcdClient, key: string) {
    this.#client = client;
    this.#key = b(key);
  }

  /** Whether it was not held yet. */
  async hold(): Promise<boolean> {
    const { succeeded } = await this.#client.call('KV/Txn', {
      compare: [{ key: this.#key, target: 'VERSION', result: 'EQUAL', version: 0 }],
      success: [{ request_put: { key: this.#key } }],
    });
    return succeeded;
  }

  async release(): Promise<void> {
    await this.#client.call('KV/DeleteRange', { key: this.#key });
  }

  async wait(): Promise<void> {
    const { header, kvs } = await this.#client.call('KV/Range', { key: this.#key });
    if (kvs.length > 0) await eventAfter(this.#client, { key: this.#key }, Number(header?.revision), 'DELETE');
  }
}

/** Nobody is in before `count` have come, nobody out before all of them go. Who dies goes with its lease. */
export class DoubleBarrier {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #count: number;
  readonly #key: Buffer;
  readonly #lease: number;

  constructor(client: EtcdClient, prefix: string, count: number, lease: number) {
    this.#client = client;
    this.#prefix = prefix;
    this.#count = count;
    this.#lease = lease;
    this.#key = b(`${prefix}waiters/${lease.toString(16)}`);
  }

  /** False: there are too many. */
  async enter(): Promise<boolean> {
    const put = await this.#client.call('KV/Put', { key: this.#key, lease: this.#lease });
    const revision = Number(put.header?.revision);
    const waiters = await this.#waiters('CREATE');
    const last = waiters[this.#count - 1];
    const ready = { key: b(`${this.#prefix}ready`) };
    if (last !== undefined && Number(last.create_revision) < revision) {
      await this.#client.call('KV/DeleteRange', { key: this.#key });
      return false;
    }
    if (last?.key.equals(this.#key) === true) await this.#client.call('KV/Put', ready);
    else await eventAfter(this.#client, ready, revision, 'PUT');
    return true;
  }

  async leave(): Promise<void> {
    for (;;) {
      const waiters = await this.#waiters('MOD');
      const [first, last] = [waiters[0], waiters.at(-1)];
      if (first === undefined || last === undefined) return;
      const isFirst = first.key.equals(this.#key);
      if (isFirst && waiters.length === 1) {
        await this.#client.call('KV/DeleteRange', { key: b(`${this.#prefix}ready`) });
        await this.#client.call('KV/DeleteRange', { key: this.#key });
        return;
      }
      // The first one waits for the last one, all others for the first one.
      if (!isFirst) await this.#client.call('KV/DeleteRange', { key: this.#key });
      const awaited = isFirst ? last : first;
      await eventAfter(this.#client, { key: awaited.key }, Number(awaited.mod_revision), 'DELETE');
    }
  }

  async #waiters(by: 'CREATE' | 'MOD'): Promise<readonly KeyValue[]> {
    const range = { ...under(`${this.#prefix}waiters/`), sort_order: 'ASCEND', sort_target: by };
    return (await this.#client.call('KV/Range', range)).kvs;
  }
}

/** The first event of that type after a revision, which may be long past. */
async function eventAfter(
  client: EtcdClient,
  range: { readonly key: Buffer; readonly range_end?: Buffer },
  revision: number,
  type: Event['type'],
): Promise<Event> {
  const stream = client.stream('Watch/Watch');
  stream.send({ create_request: { ...range, start_revision: revision + 1 } });
  try {
    for (;;) {
      const found = (await stream.take()).events.find((event) => event.type === type);
      if (found !== undefined) return found;
    }
  } finally {
    stream.cancel();
  }
}
