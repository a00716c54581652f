import { describe, expect, it } from 'vitest';
import { machineFactsShape, machineUseShape } from '../../src/resources/machine-shapes.ts';
import { readFacts } from '../../src/resources/read-facts.ts';
import { readUse } from '../../src/resources/read-use.ts';
import { readJson } from '../../src/resources/shape.ts';
import { showResources } from '../../src/resources/show-resources.ts';
import type { CpuFacts, MachineFacts } from '../../src/resources/types.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fixtureNames, layOut, layOutFixture } from './machine-fixture.ts';

/*
 * Machines of every architecture, laid out from test/resources/fixtures.
 */
const roots = new Map(fixtureNames.map((name) => [name, layOutFixture(name)]));
const rootOf = (name: string): string => roots.get(name) ?? '';
const factsOf = async (name: string): Promise<MachineFacts> => await readFacts(rootOf(name));

describe.each(fixtureNames)('%s', (name) => {
  it('comes back the same from JSON, has no undefined holes and can be shown', async () => {
    const root = rootOf(name);
    const [facts, use] = [await readFacts(root), await readUse(root)];
    const plain = JSON.parse(JSON.stringify(facts));
    expect(readJson(machineFactsShape, JSON.stringify(facts), 'facts')).toEqual(plain);
    expect(readJson(machineUseShape, JSON.stringify(use), 'use')).toEqual(JSON.parse(JSON.stringify(use)));
    expect(JSON.stringify(plain)).not.toContain('null');
    const lines = showResources({ memberId: 'a', isSelf: true, state: 'current', ageSeconds: 0, facts, use }, 100);
    expect(lines.join('')).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
    expect(lines.length).toBeGreaterThan(4);
  });
});

const CPUS: Readonly<Record<string, Partial<CpuFacts>>> = {
  'x86-64-rack-server': {
    architecture: 'x86_64',
    vendor: 'GenuineIntel',
    model: 'Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz',
    sockets: 2,
    cores: 4,
    threads: 8,
    level: 'x86-64-v4',
    mhzMax: 3700,
    caches: [
      { level: 1, type: 'data', sizeBytes: 32768, count: 4 },
      { level: 1, type: 'instruction', sizeBytes: 32768, count: 4 },
      { level: 2, type: 'unified', sizeBytes: 1048576, count: 4 },
      { level: 3, type: 'unified', sizeBytes: 23068672, count: 2 },
    ],
  },
  'x86-64-container': { architecture: 'x86_64', sockets: 1, cores: 2, threads: 2, level: 'x86-64-v3' },
  'x86-64-cpus-offline': { sockets: 1, cores: 2, threads: 2, offline: '1,3', level: 'x86-64-v3' },
  'aarch64-big-little': {
    architecture: 'aarch64',
    vendor: 'ARM',
    sockets: 1,
    cores: 6,
    threads: 6,
    mhzMax: 1800,
    kinds: [
      { model: 'Cortex-A53', cpus: '0-3', extraFlags: [] },
      { model: 'Cortex-A72', cpus: '4-5', extraFlags: ['asimdrdm'] },
    ],
    flags: ['aes', 'asimd', 'cpuid', 'crc32', 'evtstrm', 'fp', 'pmull', 'sha1', 'sha2'],
    caches: [
      { level: 2, type: 'unified', sizeBytes: 524288, count: 1 },
      { level: 2, type: 'unified', sizeBytes: 1048576, count: 1 },
    ],
  },
  'arm-raspberry-pi': { architecture: 'arm', vendor: 'ARM', model: 'Cortex-A7', cores: 4, threads: 4 },
  'arm-old-kernel': {
    architecture: 'arm',
    model: 'Cortex-A9',
    threads: 2,
    flags: ['edsp', 'fastmult', 'half', 'neon', 'swp', 'thumb', 'tls', 'vfp', 'vfpv3'],
  },
  'riscv64-visionfive': {
    architecture: 'riscv64',
    vendor: 'SiFive',
    model: 'sifive,u74-mc',
    threads: 4,
    flags: ['a', 'c', 'd', 'f', 'i', 'm', 'zba', 'zbb', 'zca', 'zcd', 'zicntr', 'zicsr', 'zifencei', 'zihpm'],
  },
  's390x-lpar': {
    architecture: 's390x',
    vendor: 'IBM',
    model: 'IBM z15',
    sockets: 1,
    cores: 2,
    threads: 4,
    level: 'z15',
  },
  'ppc64le-power9': { architecture: 'ppc64le', vendor: 'IBM', cores: 2, threads: 8, level: 'power9' },
  'loongarch64-3a5000': {
    architecture: 'loongarch64',
    vendor: 'Loongson',
    model: 'Loongson-3A5000-HV',
    sockets: 1,
    cores: 4,
    threads: 4,
  },
  'mips-router': { architecture: 'mips', model: 'MIPS 1004Kc V2.15', sockets: 1, cores: 2, threads: 4 },
  'odd-machine': { architecture: 'x86_64', threads: 1, flags: ['__proto__', 'constructor', 'fpu', 'sse'] },
};

it('every fixture is expected something of', () => {
  expect(Object.keys(CPUS).sort()).toEqual(fixtureNames);
});

it.each(Object.entries(CPUS))('the processors of %s', async (name, expected) => {
  const { cpu } = await factsOf(name);
  expect(cpu).toMatchObject(expected);
});

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  'x86-64-rack-server': ['avx512vl', 'pni', 'arch_capabilities'],
  'arm-raspberry-pi': ['neon', 'vfpv4', 'lpae'],
  's390x-lpar': ['vxe2', 'dflt', 'sie'],
  'ppc64le-power9': ['arch_3_00', 'vsx', 'darn', 'true_le'],
  'loongarch64-3a5000': ['lasx', 'lvz'],
  'mips-router': ['mips32r2', 'dsp', 'llsc'],
};

it.each(Object.entries(FLAGS))('flags of %s are found where its architecture has them', async (name, expected) => {
  const { flags } = (await factsOf(name)).cpu;
  expect(flags).toEqual(expect.arrayContaining([...expected]));
  expect(flags).toEqual([...flags].sort());
});

it('a rack server, whole', async () => {
  const facts = await factsOf('x86-64-rack-server');
  expect(facts.bootId).toBe('0a1b2c3d-1111-4222-8333-444455556666');
  expect(facts.system).toEqual({
    hostname: 'rack-7',
    kernel: '6.1.0-18-amd64',
    vendor: 'Supermicro',
    product: 'SYS-1029P-WTR',
    serial: 'S298741X9',
    board: 'Supermicro X11DPi-N',
    boardSerial: undefined,
    firmware: 'American Megatrends Inc. 3.4 10/30/2020',
  });
  expect(facts.memory).toEqual({
    totalBytes: 196608000 * 1024,
    hugePages: [{ pageBytes: 2097152, pages: 1024 }],
    numaNodes: [
      { node: 0, cpus: '0-1,4-5', totalBytes: 98304000 * 1024, hugePages: [{ pageBytes: 2097152, pages: 512 }] },
      { node: 1, cpus: '2-3,6-7', totalBytes: 98304000 * 1024, hugePages: [{ pageBytes: 2097152, pages: 512 }] },
    ],
  });
  expect(facts.pci.map(({ address, kind }) => `${address} ${kind}`)).toEqual([
    '0000:00:00.0 host bridge',
    '0000:02:00.0 VGA controller',
    '0000:3b:00.0 Ethernet controller',
    '0000:3b:02.0 Ethernet controller',
    '0000:5e:00.0 NVMe controller',
    '0000:af:00.0 3D controller',
  ]);
  expect(facts.pci[2]).toMatchObject({ id: '8086:1572', virtualFunctionsMax: 64, numaNode: 0, driver: 'i40e' });
  expect(facts.pci[3]).toMatchObject({ functionOf: '0000:3b:00.0' });
  expect(facts.gpus).toMatchObject([
    { address: '0000:02:00.0', vendor: 'ASPEED', driver: 'ast' },
    { address: '0000:af:00.0', vendor: 'NVIDIA', model: 'Tesla T4', driver: 'nvidia', numaNode: 1 },
  ]);
  expect(facts.network).toMatchObject([
    {
      name: 'eno1',
      isPhysical: true,
      speedMbps: 10000,
      mtu: 9000,
      pciAddress: '0000:3b:00.0',
      virtualFunctionsMax: 64,
    },
    { name: 'eno1v0', isPhysical: true, speedMbps: undefined },
    {
      name: 'bond0',
      isPhysical: false,
      addresses: ['192.0.2.17/24', '198.51.100.5/26', '2001:db8:0:1::17/64'],
    },
  ]);
  expect(facts.disks).toMatchObject([
    { name: 'dm-0', transport: 'mapper', model: 'vg0-root' },
    {
      name: 'nvme0n1',
      sizeBytes: 1875385008 * 512,
      transport: 'nvme',
      model: 'SAMSUNG MZQLB960HAJR-00007',
      serial: 'S437NX0M123456',
      isRotational: false,
      partitions: [
        { name: 'nvme0n1p1', sizeBytes: 2 ** 29, startBytes: 2 ** 20, label: 'EFI System' },
        { name: 'nvme0n1p2' },
      ],
    },
    {
      name: 'sda',
      transport: 'ata',
      vendor: undefined,
      model: 'ST4000NM0035-1V4',
      serial: 'ZC1A2B3C',
      isRotational: true,
    },
  ]);
  expect(facts.usb).toEqual([
    { port: '1-1', id: '0403:6001', vendor: 'FTDI', product: 'FT232R USB UART', serial: 'A50285BI', speedMbps: 12 },
  ]);
  expect(facts.serialPorts).toEqual([
    { name: 'ttyS0', driver: 'serial', usbPort: undefined },
    { name: 'ttyUSB0', driver: 'ftdi_sio', usbPort: '1-1' },
  ]);
  expect(facts.incomplete).toEqual([]);
});

it('boards without DMI and PCI', async () => {
  const board = await factsOf('aarch64-big-little');
  expect(board.system).toMatchObject({ product: 'Pine64 RockPro64 v2.1', serial: 'c3d9b8674f4b94f6' });
  expect(board.gpus).toEqual([{ address: 'ff9a0000.gpu', driver: 'panfrost', model: 'rockchip,rk3399-mali' }]);
  expect(board.disks).toMatchObject([{ name: 'mmcblk1', transport: 'mmc', model: 'SD64G', partitions: [{}] }]);
  expect((await factsOf('arm-raspberry-pi')).system.serial).toBe('00000000d4b1c2aa');
  expect((await factsOf('arm-old-kernel')).system.serial).toBeUndefined();
  expect((await factsOf('mips-router')).system.product).toBe('Ubiquiti EdgeRouter X');
  expect((await factsOf('s390x-lpar')).system).toMatchObject({
    vendor: 'IBM',
    product: '8561 716 T01',
    serial: '00000000000A1B28',
  });
  expect((await factsOf('s390x-lpar')).network).toMatchObject([{ name: 'enc1000', addresses: ['192.0.2.33/24'] }]);
});

it('a container without NUMA, DMI and disks', async () => {
  const facts = await factsOf('x86-64-container');
  expect(facts.memory).toEqual({ totalBytes: 7903232 * 1024, hugePages: [], numaNodes: [] });
  expect(facts.disks).toEqual([]);
  expect(facts.network).toMatchObject([{ name: 'eth0', isPhysical: false, addresses: ['198.51.100.12/24'] }]);
});

it('what is odd is left out, not guessed', async () => {
  const facts = await factsOf('odd-machine');
  expect(facts.bootId).toBeUndefined();
  expect(facts.memory.totalBytes).toBeUndefined();
  expect(facts.system).toMatchObject({ kernel: undefined, product: undefined, serial: undefined });
  expect(facts.disks).toMatchObject([
    { name: 'sdb', sizeBytes: undefined, model: ']0;owned Disk' },
    { name: 'sdc', sizeBytes: undefined },
  ]);
  expect(facts.network).toMatchObject([{ name: 'eth1', mac: undefined, mtu: undefined, speedMbps: undefined }]);
  expect(facts.usb).toMatchObject([{ id: '0bda:8153', speedMbps: undefined }]);
  expect(facts.pci).toEqual([]);
  const use = await readUse(rootOf('odd-machine'));
  expect(use).toMatchObject({ load: undefined, uptimeSeconds: undefined, filesystems: [] });
  expect(use.cpuBusySeconds).toBeUndefined();
});

it('caches of cores that have one name and are different all the same', async () => {
  // Two big cores of two threads, four small ones that share a level 2: as Intel builds them.
  const root = temporaryFolder('machine-hybrid');
  const block = (cpu: number): string =>
    `processor\t: ${cpu}\nvendor_id\t: GenuineIntel\nmodel name\t: Core\nflags\t: lm\n\n`;
  const cpu = 'sys/devices/system/cpu/cpu';
  const cache = (cpus: string, index: number, level: number, type: string, size: string, shared: string): string =>
    ['level', 'type', 'size', 'shared_cpu_list']
      .map((file, i) => `== ${cpu}{${cpus}}/cache/index${index}/${file} = ${[level, type, size, shared][i]}\n`)
      .join('');
  layOut(
    [
      `== proc/cpuinfo\n${[0, 1, 2, 3, 4, 5, 6, 7].map(block).join('')}`,
      '== sys/devices/system/cpu/online = 0-7\n== sys/devices/cpu_core/cpus = 0-3\n== sys/devices/cpu_atom/cpus = 4-7\n',
      `== ${cpu}{0,1}/topology/thread_siblings_list = 0-1\n== ${cpu}{2,3}/topology/thread_siblings_list = 2-3\n`,
      ...[4, 5, 6, 7].map((one) => `== ${cpu}${one}/topology/thread_siblings_list = ${one}\n`),
      cache('0,1', 0, 1, 'Data', '48K', '0-1') + cache('2,3', 0, 1, 'Data', '48K', '2-3'),
      ...[4, 5, 6, 7].map((one) => cache(`${one}`, 0, 1, 'Data', '32K', `${one}`)),
      cache('0,1', 2, 2, 'Unified', '1280K', '0-1') + cache('2,3', 2, 2, 'Unified', '1280K', '2-3'),
      cache('4,5,6,7', 2, 2, 'Unified', '2048K', '4-7'),
    ].join(''),
    root,
  );
  const { cores, caches } = (await readFacts(root)).cpu;
  expect(cores).toBe(6);
  expect(caches).toEqual([
    { level: 1, type: 'data', sizeBytes: 32 * 1024, count: 4 },
    { level: 1, type: 'data', sizeBytes: 48 * 1024, count: 2 },
    { level: 2, type: 'unified', sizeBytes: 1280 * 1024, count: 2 },
    { level: 2, type: 'unified', sizeBytes: 2048 * 1024, count: 1 },
  ]);
});

it('a machine of many threads is read whole', async () => {
  const root = temporaryFolder('machine-many');
  const block = (cpu: number): string =>
    `processor\t: ${cpu}\nvendor_id\t: GenuineIntel\nflags\t\t: ${'x'.repeat(50)} lm sse\n\n`;
  const cpus = Array.from({ length: 2048 }, (_, cpu) => block(cpu)).join('');
  layOut(`== proc/cpuinfo\n${cpus}Serial\t: 1234\n== sys/devices/system/cpu/online = 0-2047\n`, root);
  const facts = await readFacts(root);
  expect(facts.cpu).toMatchObject({ threads: 2048, cores: 2048, kinds: [{ cpus: '0-2047' }] });
  expect(facts.system.serial).toBe('1234');
  expect(facts.incomplete).toEqual([]);
});

it('an empty root is refused with the remedy', async () => {
  await expect(readFacts('/nowhere/at/all')).rejects.toThrow(
    /no Linux machine to read below \/nowhere\/at\/all.*mount/,
  );
});
