import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import type { WatchResponse } from '../support/messages.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';

const EVENTS = 12;
const VALUE_BYTES = 500_000;
/** etcd's --max-request-bytes and the 512 KiB that it adds for overhead. */
const ANSWER_BYTES_MAX = 1.5 * 1024 * 1024 + 512 * 1024;

/** Events that are together larger than a request may be. How they are batched is timing; what a watch is promised is not. */
describe('a watch of large events', () => {
  let server: ServerProcess;
  let client: EtcdClient;

  beforeAll(async () => {
    server = await startSubject();
    client = new EtcdClient(server.endpoint);
    for (let i = 0; i < EVENTS; i++) {
      await client.call('KV/Put', { key: Buffer.from(`large/${i}`), value: Buffer.alloc(VALUE_BYTES, i) });
    }
  });
  afterAll(async () => {
    client.close();
    await server.kill();
  });

  async function watchAll(fragment: boolean): Promise<WatchResponse[]> {
    const stream = client.stream('Watch/Watch');
    stream.send({
      create_request: { key: Buffer.from('large/'), range_end: Buffer.from('large0'), start_revision: 1, fragment },
    });
    expect((await stream.take()).created).toBe(true);
    const answers: WatchResponse[] = [];
    for (let events = 0; events < EVENTS; ) {
      const answer = await stream.take();
      answers.push(answer);
      events += answer.events.length;
    }
    stream.cancel();
    return answers;
  }

  test('comes in fragments when asked for', async () => {
    const answers = await watchAll(true);
    for (const answer of answers) {
      const bytes = answer.events.reduce((sum, event) => sum + (event.kv?.value.length ?? 0), 0);
      expect(answer.events.length === 1 || bytes < ANSWER_BYTES_MAX).toBe(true);
    }
    // The last of a batch is no fragment any more.
    expect(answers.at(-1)?.fragment).toBe(false);
    expect(answers.length).toBeGreaterThanOrEqual((EVENTS * VALUE_BYTES) / ANSWER_BYTES_MAX);
    const revisions = answers.flatMap((answer) => answer.events.map((event) => Number(event.kv?.mod_revision)));
    expect(revisions).toEqual(Array.from({ length: EVENTS }, (_, i) => i + 2));
  });

  test('comes unfragmented otherwise', async () => {
    const answers = await watchAll(false);
    expect(answers.every((answer) => !answer.fragment)).toBe(true);
    const values = answers.flatMap((answer) => answer.events.map((event) => event.kv?.value));
    expect(values.every((value, i) => value?.equals(Buffer.alloc(VALUE_BYTES, i)))).toBe(true);
  });
});
