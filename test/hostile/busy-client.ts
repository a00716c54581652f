import { EtcdClient } from '../support/client.ts';

/** A client that is in the middle of everything, to be killed: puts without end, watches, a snapshot, keep-alives. */
const [endpoint = ''] = process.argv.slice(2);
const client = new EtcdClient(endpoint);
const value = Buffer.alloc(100_000, 'b');
const watch = client.stream('Watch/Watch');
for (let i = 0; i < 100; i++)
  watch.send({ create_request: { key: Buffer.from('busy/'), range_end: Buffer.from('busy0') } });
const lease = await client.call('Lease/LeaseGrant', { TTL: 60 });
const keepAlive = client.stream('Lease/LeaseKeepAlive');
let done = 0;

async function put(number: number): Promise<void> {
  for (;;) {
    await client.call('KV/Put', { key: Buffer.from(`busy/${number}`), value });
    keepAlive.send({ ID: lease.ID });
    if (++done === 50) process.stdout.write('busy\n');
  }
}

client.stream('Maintenance/Snapshot').send({});
await Promise.all(Array.from({ length: 16 }, (_, number) => put(number)));
