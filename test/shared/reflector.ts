import { apply, difference, list, type Picture } from '../informers/informer.ts';
import { EtcdClient, RpcError } from '../support/client.ts';
import { pause } from './database.ts';
import { everything } from './load.ts';

/**
 * What Kubernetes' reflectors do: list, watch from behind the list, apply every event; list anew only when the watch is
 * told that its revision is compacted.
 */
export class Reflector {
  /** Times that it had to list anew. */
  relists = 0;
  /** Of the picture. */
  revision = 0;
  readonly #endpoint: string;
  #picture: Picture = new Map();
  #running = true;
  #done: Promise<void> = Promise.resolve();

  private constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  static async start(endpoint: string): Promise<Reflector> {
    const reflector = new Reflector(endpoint);
    await reflector.#list();
    reflector.#done = reflector.#run();
    // finish tells of it; a test that has failed before does not finish.
    reflector.#done.catch(() => {});
    return reflector;
  }

  /** What it believes in and what is there differ in; waits for the newest revision first. */
  async finish(): Promise<string[]> {
    const client = new EtcdClient(this.#endpoint);
    const { picture, revision } = await list(client, 0, 0, everything);
    client.close();
    for (let i = 0; this.revision < revision && i < 300; i += 1) await pause(100);
    this.#running = false;
    await this.#done;
    return difference(this.#picture, picture);
  }

  async #list(): Promise<void> {
    const client = new EtcdClient(this.#endpoint, { timeoutMs: 60_000 });
    try {
      const listing = await list(client, 0, 0, everything);
      this.#picture = listing.picture;
      this.revision = listing.revision;
    } finally {
      client.close();
    }
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const client = new EtcdClient(this.#endpoint);
      try {
        await this.#watch(client);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        await pause(50);
      } finally {
        client.close();
      }
    }
  }

  async #watch(client: EtcdClient): Promise<void> {
    const stream = client.stream('Watch/Watch');
    try {
      stream.send({ create_request: { ...everything, start_revision: this.revision + 1 } });
      while (this.#running) {
        if (!(await stream.anythingWithin(200)) && !stream.ended) continue;
        const answer = await stream.next();
        if (answer === undefined) return;
        if (answer.canceled) {
          if (Number(answer.compact_revision) === 0) throw new Error(`watch canceled: ${answer.cancel_reason}`);
          this.relists += 1;
          await this.#list();
          return;
        }
        this.revision = apply(this.#picture, answer.events, this.revision);
      }
    } finally {
      stream.cancel();
    }
  }
}
