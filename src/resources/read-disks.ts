import type { MachineTree } from './machine-tree.ts';
import { firmwareText, parseCount, parseUevent, plainText } from './plain-text.ts';
import type { Disk, Partition } from './types.ts';

const DISKS = 'sys/block';
/** The unit of `size` and `start`, whatever the disk's own sectors are (include/linux/types.h, sector_t). */
const SECTOR_BYTES = 512;

/** Disks with their partitions, also those made of others; not loops, RAM disks, swap in RAM and empty drives. */
export async function readDisks(tree: MachineTree): Promise<Disk[]> {
  const names = tree.names(DISKS).filter((name) => !/^(loop|ram|zram|fd)\d+$/.test(name));
  const disks = await Promise.all(tree.some(names, 'disks').map((name) => readDisk(tree, name)));
  return disks.filter((disk) => disk !== undefined);
}

async function readDisk(tree: MachineTree, name: string): Promise<Disk | undefined> {
  const folder = `${DISKS}/${name}`;
  const [size, hidden, rotational, removable, readOnly, entries, where] = await Promise.all([
    tree.text(`${folder}/size`),
    tree.text(`${folder}/hidden`),
    tree.text(`${folder}/queue/rotational`),
    tree.text(`${folder}/removable`),
    tree.text(`${folder}/ro`),
    tree.names(folder),
    tree.link(folder),
  ]);
  // One path of several to an NVMe disk is hidden: the disk itself is listed beside it.
  if (size === undefined || size === '0' || hidden === '1') return undefined;
  const parts = entries.filter((entry) => entry.startsWith(name));
  const partitions = await Promise.all(parts.map((part) => readPartition(tree, `${folder}/${part}`, part)));
  return {
    name: plainText(name) ?? '',
    sizeBytes: sectors(size),
    transport: transportOf(name, where ?? ''),
    ...(await readIdentity(tree, folder)),
    isRotational: yesNo(rotational),
    isRemovable: yesNo(removable),
    isReadOnly: yesNo(readOnly),
    partitions: partitions
      .filter((partition) => partition !== undefined)
      .sort((a, b) => (a.startBytes ?? 0) - (b.startBytes ?? 0)),
  };
}

async function readPartition(tree: MachineTree, folder: string, name: string): Promise<Partition | undefined> {
  const [number, size, start, uevent] = await Promise.all([
    tree.text(`${folder}/partition`),
    tree.text(`${folder}/size`),
    tree.text(`${folder}/start`),
    tree.lines(`${folder}/uevent`),
  ]);
  if (number === undefined) return undefined;
  return {
    name: plainText(name) ?? '',
    sizeBytes: sectors(size),
    startBytes: sectors(start),
    label: plainText(parseUevent(uevent).get('PARTNAME') ?? ''),
  };
}

/** Each bus keeps its disks' names elsewhere. */
async function readIdentity(tree: MachineTree, folder: string): Promise<Pick<Disk, 'vendor' | 'model' | 'serial'>> {
  const [vendor, model, name, serial, virtioSerial, page80, mapped] = await Promise.all([
    tree.text(`${folder}/device/vendor`),
    tree.text(`${folder}/device/model`),
    tree.text(`${folder}/device/name`),
    tree.text(`${folder}/device/serial`),
    tree.text(`${folder}/serial`),
    tree.bytes(`${folder}/device/vpd_pg80`),
    tree.text(`${folder}/dm/name`),
  ]);
  return {
    // SCSI calls every SATA disk's vendor ATA, and virtio has a number for its own.
    vendor: vendor === undefined || vendor === 'ATA' || vendor.startsWith('0x') ? undefined : firmwareText(vendor),
    model: firmwareText(model ?? name ?? mapped ?? ''),
    // SCSI's page of the unit's serial number: four bytes of head, then the text (SPC, "Unit Serial Number").
    serial: firmwareText(serial ?? virtioSerial ?? page80?.subarray(4) ?? ''),
  };
}

function transportOf(name: string, where: string): string | undefined {
  if (name.startsWith('dm-')) return 'mapper';
  if (/^md/.test(name)) return 'raid';
  if (name.startsWith('nvme')) return 'nvme';
  if (name.startsWith('dasd')) return 'dasd';
  for (const [part, transport] of [
    ['/usb', 'usb'],
    ['/virtio', 'virtio'],
    ['/ata', 'ata'],
    ['/mmc', 'mmc'],
    ['/vbd-', 'xen'],
    ['/host', 'scsi'],
  ] as const) {
    if (where.includes(part)) return transport;
  }
  return undefined;
}

function sectors(text: string | undefined): number | undefined {
  const bytes = (parseCount(text) ?? Number.NaN) * SECTOR_BYTES;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function yesNo(text: string | undefined): boolean | undefined {
  return text === '1' ? true : text === '0' ? false : undefined;
}
