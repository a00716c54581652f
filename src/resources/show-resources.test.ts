import { expect, it } from 'vitest';
import { showResources } from './show-resources.ts';
import type { MachineFacts } from './types.ts';

const facts: MachineFacts = {
  schemaVersion: 1,
  system: { kernel: '6.1.0' },
  cpu: {
    architecture: 'aarch64',
    sockets: 1,
    cores: 1,
    threads: 1,
    kinds: [{ model: 'Cortex-A72', cpus: '0', extraFlags: [] }],
    model: 'Cortex-A72',
    flags: ['asimd', 'fp'],
    caches: [],
  },
  memory: { totalBytes: 2 ** 30, hugePages: [], numaNodes: [] },
  pci: [],
  gpus: [],
  network: [],
  disks: [],
  usb: [],
  serialPorts: [],
  incomplete: ['/proc/cpuinfo: only its first 8388608 bytes'],
};
const member = { memberId: 'c0ffee', name: 'edge-3', isSelf: false };

it('shows what there is, and what was not read', () => {
  expect(showResources({ ...member, state: 'current', ageSeconds: 15120, facts }, 60)).toEqual([
    'edge-3  read 4 h 12 min ago',
    '  Member       c0ffee',
    '  Kernel       Linux 6.1.0 on aarch64',
    '  CPU          Cortex-A72',
    '               1 socket, 1 core, 1 thread',
    '  Flags        asimd fp',
    '  Memory       1 GiB',
    '  Not read     /proc/cpuinfo: only its first 8388608 bytes',
  ]);
});

it('shouts when a member is stale or missing', () => {
  const problem = 'did not answer within 3 s';
  const [stale] = showResources({ ...member, state: 'stale', ageSeconds: 259200, facts, problem }, 60);
  expect(stale).toBe('edge-3  STALE: read 3 d 0 h ago; did not answer within 3 s');
  expect(showResources({ ...member, state: 'missing', problem }, 60)).toEqual([
    'edge-3  MISSING: did not answer within 3 s',
  ]);
  expect(showResources({ ...member, state: 'current', ageSeconds: 1, facts, problem }, 60)[0]).toBe(
    'edge-3  read just now; did not answer within 3 s',
  );
});
