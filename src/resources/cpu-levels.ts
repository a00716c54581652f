/*
 * Levels: a name for a set of flags that programs are compiled for. The sets are those by which glibc chooses among
 * libraries (glibc-hwcaps), in the kernel's spelling of the flags:
 *
 *   x86-64-v1 … v4   the x86-64 psABI, "Micro-Architecture Levels". lzcnt is `abm` to the kernel, SSE3 `pni`; OSXSAVE it
 *                    shows by showing avx at all
 *   power8 … 10      POWER by ISA version
 *   z13 … z16        IBM Z by its vector facilities
 */

const LEVELS: ReadonlyMap<string, readonly (readonly [level: string, flags: string])[]> = new Map(
  Object.entries({
    x86_64: [
      ['x86-64-v1', 'lm cmov cx8 fpu fxsr mmx syscall sse sse2'],
      ['x86-64-v2', 'cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3'],
      ['x86-64-v3', 'avx avx2 bmi1 bmi2 f16c fma abm movbe xsave'],
      ['x86-64-v4', 'avx512f avx512bw avx512cd avx512dq avx512vl'],
    ],
    ppc64le: [
      ['power8', 'arch_2_07 vsx altivec'],
      ['power9', 'arch_3_00 ieee128'],
      ['power10', 'arch_3_1 mma'],
    ],
    s390x: [
      ['z13', 'zarch highgprs vx'],
      ['z14', 'vxd vxe gs'],
      ['z15', 'vxe2 vxp'],
      ['z16', 'vxp2'],
    ],
  } as const),
);

/** The highest level of the architecture whose flags, and those of all levels below, are there. */
export function cpuLevel(architecture: string, flags: readonly string[]): string | undefined {
  const have = new Set(flags);
  let reached: string | undefined;
  for (const [level, needed] of LEVELS.get(architecture) ?? []) {
    if (!needed.split(' ').every((flag) => have.has(flag))) break;
    reached = level;
  }
  return reached;
}
