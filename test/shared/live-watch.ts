import { expect } from 'vitest';
import { showEvent } from '../crash/journal.ts';
import { EtcdClient, RpcError } from '../support/client.ts';
import type { Event } from '../support/messages.ts';
import { pause } from './database.ts';

const everything = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

/** A watch of everything on one replica that is taken up again, behind what it saw last, whenever it breaks. */
export class LiveWatch {
  readonly #endpoint: string;
  readonly #events: Event[] = [];
  readonly #from: number;
  #seenTo: number;
  #running = true;
  #done: Promise<void> = Promise.resolve();

  private constructor(endpoint: string, from: number) {
    this.#endpoint = endpoint;
    this.#from = from;
    this.#seenTo = from - 1;
  }

  static async start(endpoint: string): Promise<LiveWatch> {
    const client = new EtcdClient(endpoint);
    const { header } = await client.call('KV/Range', everything);
    client.close();
    const watch = new LiveWatch(endpoint, Number(header?.revision) + 1);
    watch.#done = watch.#run();
    // check tells of it; a test that has failed before comes to no check.
    watch.#done.catch(() => {});
    return watch;
  }

  /** Waits for the newest revision, then insists on having had each event of the log once and in order. */
  async check(log: readonly Event[], newest: number): Promise<void> {
    for (let i = 0; this.#seenTo < newest && i < 300; i += 1) await pause(100);
    this.#running = false;
    await this.#done;
    const expected = log.filter(({ kv }) => Number(kv?.mod_revision) >= this.#from);
    expect(this.#events.map(showEvent)).toEqual(expected.map(showEvent));
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const client = new EtcdClient(this.#endpoint);
      const stream = client.stream('Watch/Watch');
      stream.send({ create_request: { ...everything, start_revision: this.#seenTo + 1 } });
      try {
        while (this.#running) {
          if (!(await stream.anythingWithin(200)) && !stream.ended) continue;
          const answer = await stream.next();
          if (answer === undefined) break;
          if (answer.canceled) throw new Error(`watch canceled: ${answer.cancel_reason} ${answer.compact_revision}`);
          this.#events.push(...answer.events);
          this.#seenTo = Math.max(this.#seenTo, Number(answer.events.at(-1)?.kv?.mod_revision ?? 0));
        }
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        await pause(50);
      } finally {
        stream.cancel();
        client.close();
      }
    }
  }
}
