/*
 * Words for PCI's numbers, few but the ones met: classes from the PCI Code and ID Assignment Specification, vendors by
 * their number there. The full list (pci.ids) is a megabyte and a half of another project; `lspci -d <id>` has it.
 */

const CLASSES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '0100': 'SCSI controller',
    '0101': 'IDE controller',
    '0104': 'RAID controller',
    '0105': 'ATA controller',
    '0106': 'SATA controller',
    '0107': 'SAS controller',
    '0108': 'NVMe controller',
    '01': 'storage controller',
    '0200': 'Ethernet controller',
    '0207': 'InfiniBand controller',
    '02': 'network controller',
    '0300': 'VGA controller',
    '0302': '3D controller',
    '03': 'display controller',
    '0400': 'video device',
    '0401': 'audio device',
    '0403': 'audio device',
    '04': 'multimedia device',
    '0500': 'memory',
    '05': 'memory controller',
    '0600': 'host bridge',
    '0601': 'ISA bridge',
    '0604': 'PCI bridge',
    '06': 'bridge',
    '0700': 'serial controller',
    '07': 'communication controller',
    '0805': 'SD host controller',
    '0806': 'IOMMU',
    '08': 'system peripheral',
    '09': 'input device',
    '0b40': 'co-processor',
    '0c03': 'USB controller',
    '0c05': 'SMBus',
    '0c': 'serial bus controller',
    '0d': 'wireless controller',
    '0e': 'intelligent controller',
    '10': 'encryption controller',
    '11': 'signal processing controller',
    '1200': 'processing accelerator',
    '12': 'processing accelerator',
    '13': 'instrumentation',
    ff: 'unclassified',
  }),
);

const VENDORS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '1000': 'Broadcom LSI',
    '1002': 'AMD',
    '1022': 'AMD',
    '1014': 'IBM',
    '102b': 'Matrox',
    '103c': 'HP',
    '10de': 'NVIDIA',
    '10ec': 'Realtek',
    '1077': 'QLogic',
    '1137': 'Cisco',
    '1145': 'Silicon Motion',
    '126f': 'Silicon Motion',
    '1344': 'Micron',
    '1414': 'Microsoft',
    '144d': 'Samsung',
    '14e4': 'Broadcom',
    '15ad': 'VMware',
    '15b3': 'Mellanox',
    '15b7': 'SanDisk',
    '168c': 'Qualcomm Atheros',
    '17cb': 'Qualcomm',
    '1924': 'Solarflare',
    '1957': 'NXP',
    '1987': 'Phison',
    '1a03': 'ASPEED',
    '1af4': 'Red Hat (virtio)',
    '1b36': 'Red Hat',
    '1c5c': 'SK hynix',
    '1d0f': 'Amazon',
    '1ae0': 'Google',
    '1da3': 'Habana Labs',
    '1e0f': 'Kioxia',
    '0014': 'Loongson',
    '8086': 'Intel',
  }),
);

/** `classId` is six hexadecimal digits: class, subclass, interface. */
export function pciKind(classId: string): string {
  return CLASSES.get(classId.slice(0, 4)) ?? CLASSES.get(classId.slice(0, 2)) ?? `class ${classId.slice(0, 4)}`;
}

/** By the first half of `vendor:device`. */
export function pciVendor(id: string): string | undefined {
  return VENDORS.get(id.slice(0, 4));
}

/** Display controllers, and the classes that accelerators without a screen give themselves. */
export function isGpuClass(classId: string): boolean {
  return classId.startsWith('03') || classId.startsWith('12') || classId.startsWith('0b40');
}
