/*
 * QEMU's named CPU models for x86: which flags a machine must have to run a guest with `-cpu <model>`. Facts from QEMU's
 * target/i386/cpu.c and libvirt's src/cpu_map, in the kernel's spelling: pni is SSE3, abm lzcnt, ibrs and ibpb together are
 * `spec-ctrl`.
 *
 * Not asked for, though models list them: what KVM makes itself (x2apic, tsc_deadline_timer, arat), what is for guests
 * within guests (svm, npt, vmx…), and what the kernel does not show (bits of MSR_IA32_ARCH_CAPABILITIES and their like).
 */

export interface QemuModel {
  readonly name: string;
  /** As in vendor_id. */
  readonly vendor: 'GenuineIntel' | 'AuthenticAMD';
  readonly flags: ReadonlySet<string>;
}

const BASE =
  'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx lm pni';

/** Oldest first. `like` names the model whose flags it adds to. */
const DECLARED: readonly (readonly [name: string, vendor: QemuModel['vendor'], like: string, adds: string])[] = [
  ['Conroe', 'GenuineIntel', '', `${BASE} ssse3 lahf_lm`],
  ['Penryn', 'GenuineIntel', 'Conroe', 'cx16 sse4_1'],
  ['Nehalem', 'GenuineIntel', 'Penryn', 'sse4_2 popcnt vme'],
  ['Westmere', 'GenuineIntel', 'Nehalem', 'aes pclmulqdq'],
  ['SandyBridge', 'GenuineIntel', 'Westmere', 'xsave xsaveopt avx rdtscp'],
  ['IvyBridge', 'GenuineIntel', 'SandyBridge', 'f16c rdrand fsgsbase smep erms'],
  ['Haswell-noTSX', 'GenuineIntel', 'IvyBridge', 'fma movbe pcid abm bmi1 avx2 bmi2 invpcid'],
  ['Haswell', 'GenuineIntel', 'Haswell-noTSX', 'hle rtm'],
  ['Broadwell-noTSX', 'GenuineIntel', 'Haswell-noTSX', '3dnowprefetch rdseed adx smap'],
  ['Broadwell', 'GenuineIntel', 'Broadwell-noTSX', 'hle rtm'],
  ['Skylake-Client-noTSX-IBRS', 'GenuineIntel', 'Broadwell-noTSX', 'xsavec xgetbv1 ibrs ibpb'],
  ['Skylake-Client', 'GenuineIntel', 'Broadwell', 'xsavec xgetbv1'],
  [
    'Skylake-Server-noTSX-IBRS',
    'GenuineIntel',
    'Skylake-Client-noTSX-IBRS',
    'pdpe1gb clwb avx512f avx512dq avx512bw avx512cd avx512vl',
  ],
  ['Skylake-Server', 'GenuineIntel', 'Skylake-Client', 'pdpe1gb clwb avx512f avx512dq avx512bw avx512cd avx512vl'],
  ['Cascadelake-Server-noTSX', 'GenuineIntel', 'Skylake-Server-noTSX-IBRS', 'clflushopt avx512_vnni ssbd'],
  ['Cascadelake-Server', 'GenuineIntel', 'Cascadelake-Server-noTSX', 'hle rtm'],
  ['Cooperlake', 'GenuineIntel', 'Cascadelake-Server', 'pku stibp arch_capabilities avx512_bf16'],
  [
    'Icelake-Server-noTSX',
    'GenuineIntel',
    'Cascadelake-Server-noTSX',
    'wbnoinvd avx512vbmi umip pku avx512_vbmi2 gfni vaes vpclmulqdq avx512_bitalg avx512_vpopcntdq la57',
  ],
  ['Icelake-Server', 'GenuineIntel', 'Icelake-Server-noTSX', 'hle rtm'],
  [
    'SapphireRapids',
    'GenuineIntel',
    'Icelake-Server',
    'avx512ifma sha_ni rdpid bus_lock_detect fsrm serialize tsxldtrk amx_bf16 avx512_fp16 amx_tile amx_int8 ' +
      'arch_capabilities xsaves avx_vnni avx512_bf16',
  ],
  ['Opteron_G1', 'AuthenticAMD', '', BASE],
  ['Opteron_G2', 'AuthenticAMD', 'Opteron_G1', 'cx16 lahf_lm'],
  ['Opteron_G3', 'AuthenticAMD', 'Opteron_G2', 'popcnt abm misalignsse sse4a'],
  [
    'Opteron_G4',
    'AuthenticAMD',
    'Opteron_G3',
    'ssse3 sse4_1 sse4_2 aes avx pclmulqdq xsave 3dnowprefetch fma4 xop pdpe1gb rdtscp',
  ],
  ['Opteron_G5', 'AuthenticAMD', 'Opteron_G4', 'f16c fma tbm'],
  [
    'EPYC',
    'AuthenticAMD',
    'Opteron_G3',
    'ssse3 sse4_1 sse4_2 aes avx pclmulqdq xsave 3dnowprefetch pdpe1gb rdtscp f16c fma vme movbe rdrand mmxext ' +
      'fxsr_opt cr8_legacy osvw fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha_ni xsaveopt xsavec xgetbv1',
  ],
  ['EPYC-Rome', 'AuthenticAMD', 'EPYC', 'clwb clzero ibpb perfctr_core rdpid stibp umip wbnoinvd xsaveerptr'],
  ['EPYC-Milan', 'AuthenticAMD', 'EPYC-Rome', 'ssbd erms fsrm ibrs invpcid pcid pku xsaves'],
  [
    'EPYC-Genoa',
    'AuthenticAMD',
    'EPYC-Milan',
    'avx512_bf16 avx512_vpopcntdq avx512_bitalg avx512bw avx512cd avx512dq avx512f avx512ifma avx512vbmi avx512_vbmi2 ' +
      'avx512vl avx512_vnni gfni la57 vaes vpclmulqdq',
  ],
];

/** Oldest first, Intel's before AMD's. */
export const QEMU_MODELS: readonly QemuModel[] = declaredModels();

function declaredModels(): QemuModel[] {
  const models = new Map<string, QemuModel>();
  for (const [name, vendor, like, adds] of DECLARED) {
    models.set(name, { name, vendor, flags: new Set([...(models.get(like)?.flags ?? []), ...adds.split(' ')]) });
  }
  return [...models.values()];
}

/** Names of the models that these flags suffice for, the one that asks for most first; `vendor` ones alone when given. */
export function fittingModels(flags: readonly string[], vendor?: string): readonly string[] {
  const have = new Set(flags);
  return QEMU_MODELS.filter((model) => vendor === undefined || model.vendor === vendor)
    .filter((model) => [...model.flags].every((flag) => have.has(flag)))
    .sort((a, b) => b.flags.size - a.flags.size)
    .map((model) => model.name);
}
