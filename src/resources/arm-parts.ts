/*
 * Names for what ARM's cores say of themselves in two numbers: who made it (MIDR_EL1.Implementer) and which it is
 * (PartNum). From the kernel's arch/arm64/include/asm/cputype.h and Arm's manuals.
 */

const IMPLEMENTERS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '0x41': 'ARM',
    '0x42': 'Broadcom',
    '0x43': 'Cavium',
    '0x46': 'Fujitsu',
    '0x48': 'HiSilicon',
    '0x4e': 'NVIDIA',
    '0x50': 'APM',
    '0x51': 'Qualcomm',
    '0x53': 'Samsung',
    '0x56': 'Marvell',
    '0x61': 'Apple',
    '0x6d': 'Microsoft',
    '0x70': 'Phytium',
    '0xc0': 'Ampere',
  }),
);

const PARTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '0x41 0xb76': 'ARM1176',
    '0x41 0xc05': 'Cortex-A5',
    '0x41 0xc07': 'Cortex-A7',
    '0x41 0xc08': 'Cortex-A8',
    '0x41 0xc09': 'Cortex-A9',
    '0x41 0xc0e': 'Cortex-A17',
    '0x41 0xc0f': 'Cortex-A15',
    '0x41 0xd03': 'Cortex-A53',
    '0x41 0xd04': 'Cortex-A35',
    '0x41 0xd05': 'Cortex-A55',
    '0x41 0xd07': 'Cortex-A57',
    '0x41 0xd08': 'Cortex-A72',
    '0x41 0xd09': 'Cortex-A73',
    '0x41 0xd0a': 'Cortex-A75',
    '0x41 0xd0b': 'Cortex-A76',
    '0x41 0xd0c': 'Neoverse-N1',
    '0x41 0xd0d': 'Cortex-A77',
    '0x41 0xd40': 'Neoverse-V1',
    '0x41 0xd41': 'Cortex-A78',
    '0x41 0xd42': 'Cortex-A78AE',
    '0x41 0xd44': 'Cortex-X1',
    '0x41 0xd46': 'Cortex-A510',
    '0x41 0xd47': 'Cortex-A710',
    '0x41 0xd48': 'Cortex-X2',
    '0x41 0xd49': 'Neoverse-N2',
    '0x41 0xd4a': 'Neoverse-E1',
    '0x41 0xd4b': 'Cortex-A78C',
    '0x41 0xd4d': 'Cortex-A715',
    '0x41 0xd4e': 'Cortex-X3',
    '0x41 0xd4f': 'Neoverse-V2',
    '0x42 0x516': 'ThunderX2',
    '0x43 0x0a1': 'ThunderX',
    '0x43 0x0af': 'ThunderX2',
    '0x46 0x001': 'A64FX',
    '0x48 0xd01': 'Kunpeng-920',
    '0x50 0x000': 'X-Gene',
    '0x61 0x022': 'M1 Icestorm',
    '0x61 0x023': 'M1 Firestorm',
    '0xc0 0xac3': 'Ampere-1',
    '0xc0 0xac4': 'Ampere-1a',
  }),
);

export function armVendor(implementer: string | undefined): string | undefined {
  return IMPLEMENTERS.get(implementer?.toLowerCase() ?? '') ?? implementer;
}

/** `Cortex-A72`, or the two numbers when it is none we know. */
export function armModel(implementer: string | undefined, part: string | undefined): string | undefined {
  if (implementer === undefined || part === undefined) return undefined;
  return PARTS.get(`${implementer} ${part}`.toLowerCase()) ?? `${armVendor(implementer)} ${part}`;
}
