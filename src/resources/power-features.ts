/*
 * POWER's /proc/cpuinfo has no flags. The kernel hands them to each program instead, as two words of bits in its auxiliary
 * vector, which /proc/self/auxv shows: pairs of 64-bit words, type and value. Bits from
 * arch/powerpc/include/uapi/asm/cputable.h; names as glibc and the kernel's documentation spell them.
 */

const AT_HWCAP = 16n;
const AT_HWCAP2 = 26n;

const HWCAP: readonly (readonly [number, string])[] = [
  [0x40000000, 'ppc64'],
  [0x10000000, 'altivec'],
  [0x08000000, 'fpu'],
  [0x04000000, 'mmu'],
  [0x00080000, 'power4'],
  [0x00040000, 'power5'],
  [0x00020000, 'power5+'],
  [0x00004000, 'smt'],
  [0x00002000, 'ic_snoop'],
  [0x00001000, 'arch_2_05'],
  [0x00000400, 'dfp'],
  [0x00000200, 'power6x'],
  [0x00000100, 'arch_2_06'],
  [0x00000080, 'vsx'],
  [0x00000002, 'true_le'],
  [0x00000001, 'ppcle'],
];

const HWCAP2: readonly (readonly [number, string])[] = [
  [0x80000000, 'arch_2_07'],
  [0x40000000, 'htm'],
  [0x20000000, 'dscr'],
  [0x10000000, 'ebb'],
  [0x08000000, 'isel'],
  [0x04000000, 'tar'],
  [0x02000000, 'vcrypto'],
  [0x01000000, 'htm_nosc'],
  [0x00800000, 'arch_3_00'],
  [0x00400000, 'ieee128'],
  [0x00200000, 'darn'],
  [0x00100000, 'scv'],
  [0x00080000, 'htm_no_suspend'],
  [0x00040000, 'arch_3_1'],
  [0x00020000, 'mma'],
];

/** Flags of an auxiliary vector of 64-bit little-endian words, sorted; none when it has no such words. */
export function powerFeatures(auxv: Uint8Array | undefined): readonly string[] {
  if (auxv === undefined) return [];
  const view = new DataView(auxv.buffer, auxv.byteOffset, auxv.byteLength);
  const found: string[] = [];
  for (let at = 0; at + 16 <= view.byteLength; at += 16) {
    const type = view.getBigUint64(at, true);
    const bits = Number(BigInt.asUintN(32, view.getBigUint64(at + 8, true)));
    const table = type === AT_HWCAP ? HWCAP : type === AT_HWCAP2 ? HWCAP2 : [];
    // Bit 31 makes `bits & bit` negative: not zero all the same.
    for (const [bit, name] of table) if ((bits & bit) !== 0) found.push(name);
  }
  return [...new Set(found)].sort();
}
