import { EtcdClient } from '../support/client.ts';
import type { Event } from '../support/messages.ts';

/** Records what one watch tells, from the store's first event on, until it is told to list anew. */
export class Recorder {
  readonly events: Event[] = [];
  /** Resolves with the revision below which everything is compacted. */
  readonly canceled: Promise<number>;

  constructor(endpoint: string) {
    this.canceled = this.#record(endpoint);
    this.canceled.catch(() => {});
  }

  async #record(endpoint: string): Promise<number> {
    const client = new EtcdClient(endpoint);
    try {
      const stream = client.stream('Watch/Watch');
      stream.send({ create_request: { key: Buffer.from([0]), range_end: Buffer.from([0]), start_revision: 2 } });
      for (;;) {
        const answer = await stream.next();
        if (answer === undefined) throw new Error('the watch ended without a word');
        if (answer.canceled) return Number(answer.compact_revision);
        this.events.push(...answer.events);
      }
    } finally {
      client.close();
    }
  }
}
