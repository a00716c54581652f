import type { Cpuinfo } from './cpuinfo.ts';

/** Names of `uname -m` that mean the same instructions. */
const SAME: readonly (readonly [RegExp, string])[] = [
  [/^arm(v\d.*)?$/, 'arm'],
  [/^i[3-6]86$/, 'x86'],
  [/^arm64$/, 'aarch64'],
];

/**
 * What the machine is, as `uname -m` says it, read off its files: /proc/sys/kernel/arch (Linux 6.1 on), or else the
 * fields that only one architecture's /proc/cpuinfo has. The program's own architecture would be wrong for a tree that
 * comes from elsewhere.
 */
export function architectureOf(kernelArch: string | undefined, info: Cpuinfo): string {
  if (kernelArch !== undefined && /^\w{1,32}$/.test(kernelArch)) {
    return SAME.find(([name]) => name.test(kernelArch))?.[1] ?? kernelArch;
  }
  const value = (name: string): string => info.processors[0]?.fields.get(name) ?? info.shared.get(name) ?? '';
  if (value('vendor_id').startsWith('IBM/S390')) return 's390x';
  if (value('flags') !== '') return /\blm\b/.test(value('flags')) ? 'x86_64' : 'x86';
  if (value('cpu implementer') !== '') return value('cpu architecture') === '8' ? 'aarch64' : 'arm';
  if (/^rv(32|64)/.test(value('isa'))) return `riscv${value('isa').slice(2, 4)}`;
  if (/loongarch(32|64)/.test(value('isa')))
    return value('isa').includes('loongarch64') ? 'loongarch64' : 'loongarch32';
  if (value('cpu model').startsWith('MIPS') || value('ases implemented') !== '') {
    return value('isa').includes('mips64') ? 'mips64' : 'mips';
  }
  // A big-endian kernel on POWER names the same fields; it calls itself ppc64, and 6.1 says which.
  if (value('revision').includes('pvr')) return 'ppc64le';
  return 'unknown';
}
