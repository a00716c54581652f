import type { EtcdClient } from '../support/client.ts';
import type { RequestOp } from '../support/messages.ts';
import type { Random } from '../support/random.ts';

const KEYS = 40;

function randomKey(random: Random): Buffer {
  return Buffer.from(`/registry/${random.pick(['pods', 'leases', 'events'])}/${random.below(KEYS)}`);
}

/** Writes as fast as it is answered, until told to stop: puts, deletes, ranges of deletes, transactions of several keys. */
export async function write(client: EtcdClient, random: Random, running: () => boolean): Promise<number> {
  let writes = 0;
  for (; running(); writes++) {
    const key = randomKey(random);
    const value = Buffer.from(`value-${random.uint32()}`);
    const die = random.below(100);
    if (die < 50) await client.call('KV/Put', { key, value });
    else if (die < 70) await client.call('KV/DeleteRange', { key });
    else if (die < 73)
      await client.call('KV/DeleteRange', { key, range_end: Buffer.concat([key, Buffer.from([0xff])]) });
    else await client.call('KV/Txn', { success: several(random) });
  }
  return writes;
}

function several(random: Random): RequestOp[] {
  const ops = new Map<string, RequestOp>();
  for (let i = random.between(2, 6); i > 0; i--) {
    const key = randomKey(random);
    const op = random.chance(30)
      ? { request_delete_range: { key } }
      : { request_put: { key, value: Buffer.from(`txn-${random.uint32()}`) } };
    ops.set(key.toString(), op);
  }
  return [...ops.values()];
}
