import { EtcdClient, RpcError } from '../support/client.ts';
import { startKedge } from '../support/kedge.ts';
import type { Event } from '../support/messages.ts';
import { freePort } from '../support/ports.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { pause } from './database.ts';
import { PREFIX } from './load.ts';

/** Where and how a replica runs. */
export interface Place {
  /** Of the store. */
  readonly url: string;
  /** As KedgeOptions have them. */
  readonly host?: string;
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** More flags of `kedge serve`. */
  readonly args?: readonly string[];
}

/**
 * Of a replica that is linked with others that have these flags; `i` differs among them. They find and trust each other
 * by the store's own table of members, and send their batches ahead of the database.
 */
export function peerArgs(i: number): readonly string[] {
  return [`--peer-listen=127.0.6.${i + 1}:0`, '--peer-trust=store'];
}

/** Several kedges on one database; one that is killed comes back at its place. */
export class Fleet {
  readonly #places: readonly Place[];
  readonly #ports: readonly number[];
  readonly #replicas: (ServerProcess | undefined)[];

  private constructor(places: readonly Place[], ports: readonly number[]) {
    this.#places = places;
    this.#ports = ports;
    this.#replicas = places.map(() => undefined);
  }

  /** One replica for each place. */
  static async start(places: readonly Place[]): Promise<Fleet> {
    const ports: number[] = [];
    for (const _ of places) ports.push(await freePort());
    const fleet = new Fleet(places, ports);
    await Promise.all(places.map((_, i) => fleet.startReplica(i)));
    return fleet;
  }

  get endpoints(): string[] {
    return this.#ports.map((port, i) => `${this.#places[i]?.host ?? '127.0.0.1'}:${port}`);
  }

  replica(i: number): ServerProcess {
    const replica = this.#replicas[i];
    if (replica === undefined) throw new Error(`replica ${i} is not running`);
    return replica;
  }

  async startReplica(i: number): Promise<void> {
    const { url, args: more = [], ...how } = this.#places[i] ?? { url: '' };
    const args = [`--store=${url}`, `--name=replica-${i}`, ...more];
    this.#replicas[i] = await startKedge({ ...how, port: this.#ports[i] ?? 0, args });
  }

  async killReplica(i: number): Promise<void> {
    await this.replica(i).kill();
  }

  /** Waits until all answer linearizable reads. */
  async healthy(): Promise<void> {
    for (const endpoint of this.endpoints) {
      const client = new EtcdClient(endpoint, { timeoutMs: 5_000 });
      for (let attempt = 0; ; attempt += 1) {
        try {
          await client.call('KV/Range', { key: Buffer.from(PREFIX) });
          break;
        } catch (error) {
          if (!(error instanceof RpcError) || attempt > 120) throw error;
          await pause(250);
        }
      }
      client.close();
    }
  }

  /** Waits until nothing is written any more: a replica that stood still does late what its clients gave up long ago. */
  async quiet(): Promise<void> {
    let before = '';
    for (let same = 0; same < QUIET_LOOKS; ) {
      await pause(100);
      const now = (await Promise.all(this.endpoints.map(revisionOf))).join();
      same = now === before ? same + 1 : 0;
      before = now;
    }
  }

  /** All events of the store since its beginning, or a revision, as one replica tells them. */
  async events(i: number, from = 2): Promise<Event[]> {
    const client = new EtcdClient(this.endpoints[i] ?? '', { timeoutMs: 60_000 });
    const head = Number((await client.call('KV/Range', { key: Buffer.from(PREFIX) })).header?.revision);
    const stream = client.stream('Watch/Watch');
    stream.send({ create_request: { key: Buffer.from([0]), range_end: Buffer.from([0]), start_revision: from } });
    const events: Event[] = [];
    while (head >= from && Number(events.at(-1)?.kv?.mod_revision ?? 0) < head) {
      const answer = await stream.take();
      if (answer.canceled) throw new Error(`the watch was canceled: ${answer.cancel_reason}`);
      events.push(...answer.events);
    }
    stream.cancel();
    client.close();
    return events;
  }

  async hashes(): Promise<string[]> {
    const hashes: string[] = [];
    for (const endpoint of this.endpoints) {
      const client = new EtcdClient(endpoint);
      const { hash, compact_revision, header } = await client.call('Maintenance/HashKV', {});
      hashes.push(`${header?.revision} ${compact_revision} ${hash}`);
      client.close();
    }
    return hashes;
  }

  /** A metric without labels, as one replica tells it. */
  async metric(i: number, name: string): Promise<number> {
    const text = await (await fetch(`http://${this.endpoints[i]}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no metric ${name}`);
    return Number(line.split(' ')[1]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica?.kill()));
  }
}

/** Looks in a row, a tenth of a second apart, that must show the same. */
const QUIET_LOOKS = 10;

async function revisionOf(endpoint: string): Promise<string> {
  const client = new EtcdClient(endpoint, { timeoutMs: 60_000 });
  try {
    return String((await client.call('KV/Range', { key: Buffer.from(PREFIX) })).header?.revision);
  } finally {
    client.close();
  }
}
