import { mkdirSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openLocalSource } from '../../src/resources/local-source.ts';
import { readFacts } from '../../src/resources/read-facts.ts';
import { readUse } from '../../src/resources/read-use.ts';
import { layOutFixture } from './machine-fixture.ts';

it('facts stay as they are whatever the machine does; its use follows', async () => {
  const root = layOutFixture('x86-64-rack-server');
  const [facts, use] = [await readFacts(root), await readUse(root)];
  expect(use).toMatchObject({
    uptimeSeconds: 273822.45,
    load: [0.42, 0.36, 0.3],
    cpuBusySeconds: 1823,
    cpuIdleSeconds: 90020,
    memoryAvailableBytes: 150000000 * 1024,
    swapTotalBytes: 8388604 * 1024,
    pressure: { cpuPercent: 1.25, memoryPercent: 0, ioPercent: 2.5 },
    hugePagesFree: [{ pageBytes: 2097152, pages: 1000 }],
  });
  // Larger than a number can count exactly: left out. The network's file system is not asked.
  expect(use.network).toMatchObject([
    { name: 'bond0', state: 'up' },
    { name: 'eno1', state: 'up', receivedBytes: undefined, sentBytes: 5000 },
    { name: 'eno1v0', state: 'down' },
    { name: 'veth8f2a1b3', state: 'up' },
  ]);
  // What is mounted at these paths here is none of that machine's.
  expect(use.filesystems).toEqual([]);

  const set = (path: string, text: string): void => writeFileSync(join(root, path), text);
  set('proc/loadavg', '9.00 8.00 7.00 1/2 3\n');
  set('proc/uptime', '273900.00 1.00\n');
  set('proc/stat', 'cpu  999999 0 0 9000001 0 0 0 0 0 0\n');
  set('proc/meminfo', 'MemTotal:       196608000 kB\nMemAvailable:   1 kB\nHugePages_Total: 1024\n');
  set('proc/pressure/cpu', 'some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n');
  set('sys/class/net/eno1/operstate', 'down\n');
  set('sys/class/net/eno1/statistics/tx_bytes', '6000\n');
  set('sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages', '1\n');
  expect(await readFacts(root)).toEqual(facts);
  const later = await readUse(root);
  expect(later).toMatchObject({ load: [9, 8, 7], uptimeSeconds: 273900, memoryAvailableBytes: 1024 });
  expect(later.hugePagesFree).toEqual([{ pageBytes: 2097152, pages: 1 }]);
  expect(later.network.find(({ name }) => name === 'eno1')).toMatchObject({ state: 'down', sentBytes: 6000 });
});

it('measures the file systems that are the machine’s own, each once', async () => {
  const root = layOutFixture('x86-64-rack-server');
  mkdirSync(join(root, 'data disk'));
  const { dev } = statSync(root);
  // As makedev packs it; the test's folder is on no exotic device.
  const number = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
  const lines = [
    `24 1 ${number} / / rw,relatime shared:1 - ext4 /dev/sda1 rw`,
    `25 24 ${number} / /data\\040disk rw,relatime - ext4 /dev/sda1 rw`,
    `26 24 ${number} /pods/x /sys rw,relatime - ext4 /dev/sda2 rw`,
    `27 24 ${number} / /data\\040disk rw,relatime - xfs /dev/sdb1 rw`,
    `28 24 ${number} / /nowhere rw,relatime - xfs /dev/sdc1 rw`,
    `29 24 250:250 / /proc rw,relatime - xfs /dev/sdd1 rw`,
  ];
  writeFileSync(join(root, 'proc', '1', 'mountinfo'), `${lines.join('\n')}\n`);
  const { filesystems } = await readUse(root);
  expect(filesystems).toMatchObject([
    { mountedAt: '/', device: '/dev/sda1', type: 'ext4' },
    { mountedAt: '/data disk', device: '/dev/sdb1', type: 'xfs' },
  ]);
  expect(filesystems[0]?.totalBytes).toBe(statfsSync(root).blocks * statfsSync(root).bsize);
});

it('tells of a change of the machine when it is read again, and of load never', async () => {
  const root = layOutFixture('x86-64-rack-server');
  let changes = 0;
  const source = await openLocalSource({ memberId: 'a1', root, onChange: () => changes++ });
  const { signal } = new AbortController();
  await source.facts(signal);
  writeFileSync(join(root, 'proc/loadavg'), '9.00 8.00 7.00 1/2 3\n');
  await source.facts(signal);
  expect(changes).toBe(0);
  writeFileSync(join(root, 'proc/meminfo'), 'MemTotal:       98304000 kB\nMemAvailable:   1 kB\n');
  await Promise.all([source.facts(signal), source.facts(signal)]);
  await source.facts(signal);
  expect(changes).toBe(1);
});
