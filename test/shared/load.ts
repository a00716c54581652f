import { EtcdClient, RpcError } from '../support/client.ts';
import type { KeyValue, RequestOp } from '../support/messages.ts';
import type { Random } from '../support/random.ts';
import type { Answer, Call, Found } from './history.ts';

const KEYS = 12;
export const PREFIX = '/shared/';
/** The range of all keys of a load. */
export const everything = { key: Buffer.from(PREFIX), range_end: Buffer.from('/shared0') };

/**
 * Clients that put, delete, compare and swap, and read through any of several endpoints, and note down every call. One
 * that gets no answer goes on at another endpoint.
 */
export class Load {
  readonly calls: Call[] = [];
  /** Calls without an answer, by the error. */
  readonly unanswered = new Map<string, number>();
  /** `kind endpoint` of calls that were answered. */
  readonly answeredKinds = new Set<string>();
  readonly #endpoints: readonly string[];
  readonly #random: Random;
  #running = true;
  #values = 0;

  /** `earlier`: the load before on the same store, for values are unique. */
  constructor(endpoints: readonly string[], random: Random, earlier?: Load) {
    this.#endpoints = endpoints;
    this.#random = random;
    this.#values = earlier === undefined ? 0 : earlier.#values;
  }

  stop(): void {
    this.#running = false;
  }

  get answered(): number {
    return this.calls.filter(({ answer }) => answer !== undefined).length;
  }

  /** Until stop is called. */
  async run(clients: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, (_, i) => this.#client(i)));
  }

  async #client(number: number): Promise<void> {
    const connections = this.#endpoints.map((endpoint) => new EtcdClient(endpoint, { timeoutMs: 8_000 }));
    let at = number % connections.length;
    const seen = new Map<string, number>();
    while (this.#running) {
      const client = connections[at];
      if (client === undefined) return;
      const what = this.#next(seen);
      const { endpoint } = client;
      const beganMs = performance.now();
      let answer: Answer | undefined;
      try {
        answer = await ask(client, what);
        this.answeredKinds.add(`${what.kind} ${endpoint}`);
        for (const [key, { revision }] of answer.found ?? []) seen.set(key, revision);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        const why = `${error.code} (${error.message.slice(0, 100)})`;
        this.unanswered.set(why, (this.unanswered.get(why) ?? 0) + 1);
        at = (at + 1) % connections.length;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      this.calls.push({ beganMs, endedMs: performance.now(), what, answer });
      // What one replica has answered must show at every other one.
      if (this.#random.chance(10)) at = this.#random.below(connections.length);
    }
    for (const client of connections) client.close();
  }

  #next(seen: ReadonlyMap<string, number>): Call['what'] {
    const random = this.#random;
    const key = `${PREFIX}${random.below(KEYS)}`;
    const value = `v${this.#values++}`;
    const die = random.below(100);
    if (die < 25) return { kind: 'put', keys: [key], value };
    if (die < 40) return { kind: 'put', keys: [key, `${key}/twin`], value };
    if (die < 50) return { kind: 'delete', key };
    if (die < 75) return { kind: 'cas', key, expectedRevision: seen.get(key) ?? 0, value };
    return { kind: 'read', prefix: random.chance(30) ? PREFIX : key };
  }
}

async function ask(client: EtcdClient, what: Call['what']): Promise<Answer> {
  switch (what.kind) {
    case 'put': {
      const value = Buffer.from(what.value);
      if (what.keys.length === 1) {
        const { header } = await client.call('KV/Put', { key: Buffer.from(what.keys[0] ?? ''), value });
        return { revision: Number(header?.revision) };
      }
      const success: RequestOp[] = what.keys.map((key) => ({ request_put: { key: Buffer.from(key), value } }));
      const { header } = await client.call('KV/Txn', { success });
      return { revision: Number(header?.revision) };
    }
    case 'delete': {
      const { header, deleted } = await client.call('KV/DeleteRange', { key: Buffer.from(what.key) });
      return { revision: Number(header?.revision), done: deleted !== '0' };
    }
    case 'cas': {
      const key = Buffer.from(what.key);
      const { header, succeeded, responses } = await client.call('KV/Txn', {
        compare: [{ key, target: 'MOD', result: 'EQUAL', mod_revision: what.expectedRevision }],
        success: [{ request_put: { key, value: Buffer.from(what.value) } }],
        failure: [{ request_range: { key } }],
      });
      const found = foundIn(responses[0]?.response_range?.kvs ?? []);
      return { revision: Number(header?.revision), done: succeeded, found };
    }
    case 'read': {
      const range =
        what.prefix === PREFIX ? everything : { key: Buffer.from(what.prefix), range_end: after(what.prefix) };
      const { header, kvs } = await client.call('KV/Range', range);
      return { revision: Number(header?.revision), found: foundIn(kvs) };
    }
  }
}

function foundIn(kvs: readonly KeyValue[]): Map<string, Found> {
  return new Map(
    kvs.map((kv) => [
      kv.key.toString('latin1'),
      { value: kv.value.toString('latin1'), revision: Number(kv.mod_revision) },
    ]),
  );
}

/** The end of the range of all keys that begin so. */
function after(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] ?? 0) + 1;
  return end;
}
