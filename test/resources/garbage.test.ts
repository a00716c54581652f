import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { interfaceAddresses } from '../../src/resources/addresses.ts';
import { architectureOf } from '../../src/resources/architecture.ts';
import { describeCores } from '../../src/resources/core-descriptions.ts';
import { formatCpuList, parseCpuList } from '../../src/resources/cpu-list.ts';
import { parseCpuinfo } from '../../src/resources/cpuinfo.ts';
import { machineFactsShape, machineUseShape } from '../../src/resources/machine-shapes.ts';
import { firmwareText, parseCount, parseKernelSize, parseMeminfo, plainText } from '../../src/resources/plain-text.ts';
import { powerFeatures } from '../../src/resources/power-features.ts';
import { readFacts } from '../../src/resources/read-facts.ts';
import { readUse } from '../../src/resources/read-use.ts';
import { riscvExtensions } from '../../src/resources/riscv-isa.ts';
import { readJson, ShapeError } from '../../src/resources/shape.ts';
import { showResources } from '../../src/resources/show-resources.ts';
import { seedOf } from '../support/random.ts';
import { temporaryFolder } from '../support/temporary.ts';

/*
 * Whatever a kernel, a device, a file or another member says: no parser throws, and what comes out can be shown.
 */
const seed = seedOf(5);
const runs = (numRuns: number) => ({ seed, numRuns });

/** Words that parsers look for, so that garbage reaches further than their first line. */
const words = fc.constantFrom(
  'processor',
  'cpu number',
  ' : ',
  ': 0\n',
  '\n\n',
  '\t',
  'flags',
  'Features',
  'isa',
  'rv64imafdc_zba',
  'vendor_id',
  'IBM/S390',
  'CPU implementer',
  'cpu MHz',
  'processor 0: version = FF,  machine = 8561\n',
  'MemTotal:',
  ' kB\n',
  'constructor',
  '__proto__',
  '0-3,5',
  '|-- 192.0.2.1\n',
  '/32 host LOCAL\n',
  'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n',
  '20010db8000000010000000000000017 05 40 00 80 eth0\n',
);
const text = fc
  .array(fc.oneof(words, fc.string(), fc.string({ unit: 'binary' })), { maxLength: 30 })
  .map((parts) => parts.join(''));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 500 }),
  text.map((one) => new Uint8Array(Buffer.from(one))),
);
const architectures = fc.constantFrom(
  ...['x86_64', 'aarch64', 'arm', 'riscv64', 's390x', 'ppc64le', 'loongarch64', 'mips', 'unknown', 'constructor'],
);

it('no parser throws', () => {
  fc.assert(
    fc.property(text, architectures, bytes, (one, architecture, auxv) => {
      const info = parseCpuinfo(one);
      architectureOf(one, info);
      expect(typeof architectureOf(undefined, info)).toBe('string');
      for (const core of describeCores(architecture, info, auxv)) {
        expect(core.flags).toEqual([...new Set(core.flags)].sort());
      }
      const cpus = parseCpuList(one);
      expect(parseCpuList(formatCpuList(cpus))).toEqual(cpus);
      for (const value of [parseCount(one), parseKernelSize(one), ...parseMeminfo(one).values()]) {
        if (value !== undefined) expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
      }
      powerFeatures(auxv);
      riscvExtensions(one);
      interfaceAddresses(one, one, one);
    }),
    runs(500),
  );
});

it('text is fit to show, whatever it was, and stays as it is the second time', () => {
  fc.assert(
    fc.property(fc.oneof(text, bytes), (raw) => {
      const shown = plainText(raw);
      if (shown !== undefined) {
        expect(shown).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u);
        expect([...shown].length).toBeLessThanOrEqual(256);
        expect(plainText(shown)).toBe(shown);
      }
      firmwareText(raw);
    }),
    runs(500),
  );
});

const FILES = [
  'proc/cpuinfo',
  'proc/meminfo',
  'proc/stat',
  'proc/loadavg',
  'proc/self/auxv',
  'proc/sysinfo',
  'proc/net/fib_trie',
  'proc/net/route',
  'proc/net/if_inet6',
  'proc/pressure/io',
  'proc/sys/kernel/arch',
  'proc/sys/kernel/random/boot_id',
  'sys/devices/system/cpu/online',
  'sys/devices/system/cpu/present',
  'sys/devices/system/cpu/cpu0/topology/core_siblings_list',
  'sys/devices/system/cpu/cpu0/cache/index0/size',
  'sys/devices/system/node/node0/meminfo',
  'sys/class/dmi/id/sys_vendor',
  'sys/class/net/eth0/device/uevent',
  'sys/class/net/eth0/speed',
  'sys/class/tty/ttyS0/type',
  'sys/block/sda/size',
  'sys/block/sda/sda1/partition',
  'sys/block/sda/device/vpd_pg80',
  'sys/bus/pci/devices/0000:00:01.0/uevent',
  'sys/bus/usb/devices/1-1/idVendor',
];

it('a machine of garbage is read and shown', async () => {
  const root = temporaryFolder('garbage');
  for (const file of FILES) mkdirSync(dirname(join(root, file)), { recursive: true });
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: FILES.length, maxLength: FILES.length }), async (contents) => {
      for (const [i, file] of FILES.entries()) writeFileSync(join(root, file), contents[i] ?? '');
      // One that is right, or there would be no machine.
      writeFileSync(join(root, 'proc/meminfo'), 'MemTotal: 1024 kB\n');
      const [facts, use] = [await readFacts(root), await readUse(root)];
      expect(readJson(machineFactsShape, JSON.stringify(facts), 'facts')).toEqual(JSON.parse(JSON.stringify(facts)));
      expect(readJson(machineUseShape, JSON.stringify(use), 'use')).toEqual(JSON.parse(JSON.stringify(use)));
      const lines = showResources({ memberId: 'a', isSelf: true, state: 'current', ageSeconds: 0, facts, use }, 80);
      expect(lines.join('')).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
    }),
    runs(50),
  );
});

it('JSON from elsewhere is taken or refused, never half', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (json) => {
      try {
        readJson(machineFactsShape, json, 'facts');
      } catch (error) {
        expect(error).toBeInstanceOf(ShapeError);
      }
    }),
    runs(500),
  );
});
