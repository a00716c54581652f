import { armModel, armVendor } from './arm-parts.ts';
import { type Cpuinfo, type CpuinfoFields, cpuinfoField, flagWords } from './cpuinfo.ts';
import { powerFeatures } from './power-features.ts';
import { riscvExtensions } from './riscv-isa.ts';

/** One logical CPU. */
export interface CoreDescription {
  readonly cpu: number;
  readonly vendor: string | undefined;
  readonly model: string | undefined;
  /** Sorted. */
  readonly flags: readonly string[];
}

/**
 * Vendor, model and flags of each processor: every architecture has them elsewhere.
 *
 *     x86          vendor_id, model name, flags                                   per processor
 *     aarch64 arm  CPU implementer and part (numbers), Features                   per processor; old kernels: once
 *     riscv64      isa, hart isa (ISA strings), uarch, mvendorid                  per processor
 *     s390x        features, once; machine = 8561                                 once; per processor
 *     ppc64le      cpu; flags not here at all but in /proc/self/auxv              per processor; of the whole machine
 *     loongarch64  Model Name, Features                                           per processor
 *     mips         cpu model; isa, ASEs implemented, Options implemented          per processor
 */
export function describeCores(architecture: string, info: Cpuinfo, auxv: Uint8Array | undefined): CoreDescription[] {
  const describe = DESCRIBE.get(architecture) ?? describeUnknown;
  // Most cores are alike, and there may be hundreds of them: each kind's words are taken apart once.
  const known = new Map<string, Omit<CoreDescription, 'cpu'>>();
  return info.processors.map(({ cpu, fields }) => {
    const key = `${DESCRIBING.map((name) => fields.get(name) ?? '').join('\n')}\n${info.shared.get(`processor ${cpu}`) ?? ''}`;
    const description = known.get(key) ?? describe(info, fields, auxv, cpu);
    known.set(key, description);
    return { cpu, ...description };
  });
}

/** All fields that the functions below look at. */
const DESCRIBING: readonly string[] = [
  ...['vendor_id', 'model name', 'flags', 'cpu implementer', 'cpu part', 'processor', 'features'],
  ...['mvendorid', 'uarch', 'hart isa', 'isa', 'machine', 'cpu', 'cpu family', 'cpu model'],
  ...['ases implemented', 'options implemented'],
];

type Describe = (
  info: Cpuinfo,
  fields: CpuinfoFields,
  auxv: Uint8Array | undefined,
  cpu: number,
) => Omit<CoreDescription, 'cpu'>;

const DESCRIBE: ReadonlyMap<string, Describe> = new Map(
  Object.entries({
    x86_64: describeX86,
    x86: describeX86,
    aarch64: describeArm,
    arm: describeArm,
    riscv64: describeRiscv,
    riscv32: describeRiscv,
    s390x: describeS390,
    ppc64le: describePower,
    ppc64: describePower,
    loongarch64: describeLoongarch,
    mips: describeMips,
    mips64: describeMips,
  }),
);

function describeX86(info: Cpuinfo, fields: CpuinfoFields): Omit<CoreDescription, 'cpu'> {
  return {
    vendor: cpuinfoField(info, fields, 'vendor_id'),
    model: cpuinfoField(info, fields, 'model name'),
    flags: flagWords(fields.get('flags')),
  };
}

function describeArm(info: Cpuinfo, fields: CpuinfoFields): Omit<CoreDescription, 'cpu'> {
  const implementer = cpuinfoField(info, fields, 'cpu implementer');
  return {
    vendor: armVendor(implementer),
    model:
      armModel(implementer, cpuinfoField(info, fields, 'cpu part')) ??
      cpuinfoField(info, fields, 'model name', 'processor'),
    flags: flagWords(fields.get('features') ?? info.shared.get('features')),
  };
}

function describeRiscv(info: Cpuinfo, fields: CpuinfoFields): Omit<CoreDescription, 'cpu'> {
  return {
    vendor: riscvVendor(cpuinfoField(info, fields, 'mvendorid')),
    model: cpuinfoField(info, fields, 'uarch', 'model name'),
    // `isa` names what all harts have, `hart isa` (Linux 6.7 on) what this one has.
    flags: riscvExtensions(fields.get('hart isa')) ?? riscvExtensions(fields.get('isa')) ?? [],
  };
}

/** JEDEC numbers of makers, as in the kernel's arch/riscv/include/asm/vendorid_list.h. */
function riscvVendor(id: string | undefined): string | undefined {
  return id === undefined || id === '0x0' ? undefined : (RISCV_VENDORS.get(id.toLowerCase()) ?? id);
}

const RISCV_VENDORS: ReadonlyMap<string, string> = new Map(
  Object.entries({ '0x31e': 'Andes', '0x489': 'SiFive', '0x5b7': 'T-Head', '0x710': 'SpacemiT' }),
);

function describeS390(info: Cpuinfo, fields: CpuinfoFields, _auxv: unknown, cpu: number): Omit<CoreDescription, 'cpu'> {
  const line = info.shared.get(`processor ${cpu}`) ?? '';
  const machine = cpuinfoField(info, fields, 'machine') ?? /machine = (\w{1,8})/.exec(line)?.[1];
  return {
    vendor: 'IBM',
    model: machine === undefined ? undefined : (S390_MACHINES.get(machine) ?? `IBM Z ${machine}`),
    flags: flagWords(info.shared.get('features')),
  };
}

/** Machine types, as IBM sells them. */
const S390_MACHINES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '2817': 'IBM z196',
    '2818': 'IBM z114',
    '2827': 'IBM zEC12',
    '2828': 'IBM zBC12',
    '2964': 'IBM z13',
    '2965': 'IBM z13s',
    '3906': 'IBM z14',
    '3907': 'IBM z14 ZR1',
    '8561': 'IBM z15',
    '8562': 'IBM z15 T02',
    '3931': 'IBM z16',
    '3932': 'IBM z16 A02',
    '9175': 'IBM z17',
  }),
);

function describePower(
  info: Cpuinfo,
  fields: CpuinfoFields,
  auxv: Uint8Array | undefined,
): Omit<CoreDescription, 'cpu'> {
  return { vendor: 'IBM', model: cpuinfoField(info, fields, 'cpu'), flags: powerFeatures(auxv) };
}

function describeLoongarch(info: Cpuinfo, fields: CpuinfoFields): Omit<CoreDescription, 'cpu'> {
  return {
    vendor: cpuinfoField(info, fields, 'cpu family')?.startsWith('Loongson') === true ? 'Loongson' : undefined,
    model: cpuinfoField(info, fields, 'model name'),
    flags: flagWords(fields.get('features')),
  };
}

function describeMips(info: Cpuinfo, fields: CpuinfoFields): Omit<CoreDescription, 'cpu'> {
  return {
    vendor: undefined,
    model: cpuinfoField(info, fields, 'cpu model'),
    flags: flagWords(
      ['isa', 'ases implemented', 'options implemented'].map((name) => fields.get(name) ?? '').join(' '),
    ),
  };
}

function describeUnknown(info: Cpuinfo, fields: CpuinfoFields): Omit<CoreDescription, 'cpu'> {
  return {
    vendor: cpuinfoField(info, fields, 'vendor_id'),
    model: cpuinfoField(info, fields, 'model name', 'cpu model', 'cpu'),
    flags: flagWords(fields.get('flags') ?? fields.get('features') ?? info.shared.get('features')),
  };
}
