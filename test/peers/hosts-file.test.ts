import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { lookUp } from '../../src/peers/dns-lookup.ts';
import { addressesInHosts, parseHosts } from '../../src/peers/hosts-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

const HOSTS = `127.0.0.1\tlocalhost
# 10.0.0.9 node-2
10.0.0.2  node-2 Node-2.Example   # the second one
10.0.0.3 node-3 members
fd00::0:2 node-2 members
fe80::1%eth0 node-2
not-an-address node-2
10.0.0.2 node-2
`;

it('reads hosts(5): several lines of a name, any case, comments, what is no address', () => {
  expect(parseHosts(HOSTS, 'node-2')).toEqual(['10.0.0.2', 'fd00::2']);
  expect(parseHosts(HOSTS, 'NODE-2.example')).toEqual(['10.0.0.2']);
  expect(parseHosts(HOSTS, 'members')).toEqual(['10.0.0.3', 'fd00::2']);
  expect(parseHosts(HOSTS, '10.0.0.2')).toEqual([]);
  expect(parseHosts(HOSTS, 'node')).toEqual([]);
});

it('has nothing where there is no file, or one too large to be one', async () => {
  const folder = temporaryFolder('hosts');
  expect(await addressesInHosts('node-2', join(folder, 'none'))).toEqual([]);
  writeFileSync(join(folder, 'large'), `10.0.0.2 node-2\n${'#'.repeat(4 * 1024 * 1024)}`);
  expect(await addressesInHosts('node-2', join(folder, 'large'))).toEqual([]);
});

it('comes before DNS, which is not asked for what is in it, and is read anew each time', async () => {
  const file = join(temporaryFolder('hosts'), 'hosts');
  writeFileSync(file, HOSTS);
  // Nobody answers there: whoever asked it would be refused.
  const nobody = { ip: '127.0.0.1', port: 1 };
  expect(await lookUp('node-2', nobody, systemClock, file)).toMatchObject({ ips: ['10.0.0.2', 'fd00::2'] });
  expect(await lookUp('node-3.', nobody, systemClock, file)).toMatchObject({ ips: ['10.0.0.3'] });
  await expect(lookUp('node-4', nobody, systemClock, file)).rejects.toThrow('127.0.0.1:1');
  writeFileSync(file, `${HOSTS}10.0.0.4 node-4\n`);
  expect(await lookUp('node-4', nobody, systemClock, file)).toMatchObject({ ips: ['10.0.0.4'], keys: undefined });
});
