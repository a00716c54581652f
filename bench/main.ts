import { mkdtempSync, rmSync } from 'node:fs';
import { measure, runToEnd } from './load/measure.ts';
import { shapeOf } from './load/workload.ts';
import { Peer } from './peers/peer.ts';
import { etcdProgram } from './peers/programs.ts';
import { GetWorkload, MixedWorkload } from './workloads/get.ts';
import { GrantWorkload, KeepAliveWorkload } from './workloads/keep-alive.ts';
import { ListWorkload } from './workloads/list.ts';
import { LoadWorkload, PutWorkload } from './workloads/put.ts';
import { TxnCreateWorkload, TxnUpdateWorkload } from './workloads/txn.ts';

const dir = mkdtempSync('/tmp/kedge-bench-');
const peer = await Peer.start(etcdProgram(process.env['KEDGE_ETCD'] ?? 'etcd'), dir);
try {
  await runToEnd(peer.port, shapeOf(64), new LoadWorkload(0, 10000, 512));
  const s = 2;
  for (const n of [1, 64, 1000]) console.log('put', n, await measure(peer, shapeOf(n), new PutWorkload(10000, 512), s));
  for (const n of [1, 64, 1000]) console.log('get', n, await measure(peer, shapeOf(n), new GetWorkload(10000, 512), s));
  for (const n of [1, 64, 1000])
    console.log('mixed', n, await measure(peer, shapeOf(n), new MixedWorkload(10000, 512), s));
  for (const n of [1, 8]) console.log('list', n, await measure(peer, shapeOf(n), new ListWorkload(10000), s));
  let first = 20000;
  for (const n of [1, 64, 1000]) {
    const w = new TxnCreateWorkload(first, 512);
    console.log('create', n, await measure(peer, shapeOf(n), w, s));
    first = w.nextKey;
  }
  await peer.remove();
  const p2 = await Peer.start(etcdProgram(process.env['KEDGE_ETCD'] ?? 'etcd'), dir);
  const revs = new Float64Array(10000);
  for (const n of [1, 64, 1000])
    console.log('update', n, await measure(p2, shapeOf(n), new TxnUpdateWorkload(revs, n, 512), s));
  await runToEnd(p2.port, shapeOf(64), new GrantWorkload(1000));
  for (const n of [1, 64, 1000]) console.log('keepalive', n, await measure(p2, shapeOf(n), new KeepAliveWorkload(), s));
  await p2.remove();
} finally {
  peer.kill();
  rmSync(dir, { recursive: true, force: true });
}
