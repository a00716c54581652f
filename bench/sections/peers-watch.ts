import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdClient } from '../../test/support/client.ts';
import { MariadbServer, mariadbProgram } from '../../test/support/mariadb.ts';
import type { Finding } from '../finding.ts';
import { Histogram } from '../load/histogram.ts';
import { KedgeMember } from '../members/kedge-fleet.ts';
import type { SectionContext } from './section.ts';

const writes = 300;
const writesPerSecond = 50;

/** What hints are for: from the call of a put through one replica on MariaDB to its event on a watch of another. */
export async function watchFindings(
  { kedge, folder, progress }: SectionContext,
  ports: readonly number[],
): Promise<Finding[]> {
  if (mariadbProgram() === undefined) return [];
  progress('peers: two replicas on MariaDB');
  const database = await MariadbServer.start();
  const url = database.url(database.freshDatabase());
  const replicas = ports.slice(0, 2).map((port, i) => {
    const flags = [`--store=${url}`, `--peer-listen=127.0.6.${i + 1}:0`, '--peer-trust=store'];
    return { port, member: new KedgeMember(`r${i}`, kedge, folder, port, flags) };
  });
  const clients: EtcdClient[] = [];
  try {
    for (let attempt = 0; replicas.some(({ member }) => member.linked < 1); attempt++) {
      if (attempt > 6000) throw new Error('peers: the replicas on MariaDB did not link');
      await sleep(10);
    }
    const [writer, watcher] = replicas.map(({ port }) => new EtcdClient(`127.0.0.1:${port}`));
    if (writer === undefined || watcher === undefined) return [];
    clients.push(writer, watcher);
    const stream = watcher.stream('Watch/Watch');
    stream.send({ create_request: { key: Buffer.from('k') } });
    await stream.take();
    const [event, answer] = [new Histogram(), new Histogram()];
    for (let i = 0; i < writes; i++) {
      const calledMs = performance.now();
      const put = writer
        .call('KV/Put', { key: Buffer.from('k'), value: Buffer.from(String(i)) })
        .then(() => performance.now());
      await stream.take();
      event.record((performance.now() - calledMs) * 1000);
      answer.record(((await put) - calledMs) * 1000);
      await sleep(1000 / writesPerSecond);
    }
    const p50 = event.percentile(0.5);
    return [
      {
        section: 'peers',
        what: 'put through A on MariaDB, from its call to the event of a watch on B, p50',
        figure: p50,
        unit: 'ms',
        against: { what: "the put's own answer", figure: answer.percentile(0.5) },
        bar: { text: 'under 10 ms', isCleared: p50 < 10 },
      },
      { section: 'peers', what: 'the same, p99', figure: event.percentile(0.99), unit: 'ms' },
    ];
  } finally {
    for (const client of clients) client.close();
    for (const { member } of replicas) member.signal('SIGKILL');
    await database.dispose();
  }
}
