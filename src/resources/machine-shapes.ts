import { count, cpuList, exactly, list, optional, type Reader, record, text, yesNo } from './shape.ts';
import {
  type CoreKind,
  type CpuCache,
  type CpuFacts,
  type Disk,
  type FilesystemUse,
  type Gpu,
  type HugePages,
  type MachineFacts,
  type MachineUse,
  type MemoryFacts,
  type NetworkCard,
  type NetworkUse,
  type NumaNode,
  type Partition,
  type PciDevice,
  type Pressure,
  RESOURCES_SCHEMA_VERSION,
  type SerialPort,
  type SystemFacts,
  type UsbDevice,
} from './types.ts';

/* The types of types.ts once more, for JSON that came from elsewhere. */

export const schemaVersionShape: Reader<typeof RESOURCES_SCHEMA_VERSION> = exactly(RESOURCES_SCHEMA_VERSION);

const hugePages: Reader<readonly HugePages[]> = list(record<HugePages>({ pageBytes: count, pages: count }));

const system: Reader<SystemFacts> = record<SystemFacts>({
  hostname: optional(text),
  kernel: optional(text),
  vendor: optional(text),
  product: optional(text),
  serial: optional(text),
  board: optional(text),
  boardSerial: optional(text),
  firmware: optional(text),
});

const cpu: Reader<CpuFacts> = record<CpuFacts>({
  architecture: text,
  vendor: optional(text),
  model: optional(text),
  sockets: count,
  cores: count,
  threads: count,
  offline: optional(cpuList),
  kinds: list(record<CoreKind>({ model: optional(text), cpus: cpuList, extraFlags: list(text) })),
  flags: list(text),
  level: optional(text),
  mhzMax: optional(count),
  caches: list(
    record<CpuCache>({
      level: count,
      type: exactly('data', 'instruction', 'unified'),
      sizeBytes: count,
      count,
    }),
  ),
});

const memory: Reader<MemoryFacts> = record<MemoryFacts>({
  totalBytes: optional(count),
  hugePages,
  numaNodes: list(record<NumaNode>({ node: count, cpus: cpuList, totalBytes: optional(count), hugePages })),
});

const pciDevice: Reader<PciDevice> = record<PciDevice>({
  address: text,
  id: text,
  classId: text,
  kind: text,
  vendor: optional(text),
  subsystem: optional(text),
  driver: optional(text),
  numaNode: optional(count),
  virtualFunctionsMax: optional(count),
  functionOf: optional(text),
});

const gpu: Reader<Gpu> = record<Gpu>({
  address: text,
  vendor: optional(text),
  model: optional(text),
  driver: optional(text),
  memoryBytes: optional(count),
  numaNode: optional(count),
});

const networkCard: Reader<NetworkCard> = record<NetworkCard>({
  name: text,
  isPhysical: yesNo,
  mac: optional(text),
  addresses: list(text),
  speedMbps: optional(count),
  mtu: optional(count),
  driver: optional(text),
  pciAddress: optional(text),
  virtualFunctionsMax: optional(count),
});

const disk: Reader<Disk> = record<Disk>({
  name: text,
  sizeBytes: optional(count),
  transport: optional(text),
  vendor: optional(text),
  model: optional(text),
  serial: optional(text),
  isRotational: optional(yesNo),
  isRemovable: optional(yesNo),
  isReadOnly: optional(yesNo),
  partitions: list(
    record<Partition>({ name: text, sizeBytes: optional(count), startBytes: optional(count), label: optional(text) }),
  ),
});

const usbDevice: Reader<UsbDevice> = record<UsbDevice>({
  port: text,
  id: text,
  vendor: optional(text),
  product: optional(text),
  serial: optional(text),
  speedMbps: optional(count),
});

export const machineFactsShape: Reader<MachineFacts> = record<MachineFacts>({
  schemaVersion: schemaVersionShape,
  bootId: optional(text),
  system,
  cpu,
  memory,
  pci: list(pciDevice),
  gpus: list(gpu),
  network: list(networkCard),
  disks: list(disk),
  usb: list(usbDevice),
  serialPorts: list(record<SerialPort>({ name: text, driver: optional(text), usbPort: optional(text) })),
  incomplete: list(text),
});

export const machineUseShape: Reader<MachineUse> = record<MachineUse>({
  schemaVersion: schemaVersionShape,
  uptimeSeconds: optional(count),
  load: optional(list(count)),
  cpuBusySeconds: optional(count),
  cpuIdleSeconds: optional(count),
  memoryAvailableBytes: optional(count),
  memoryFreeBytes: optional(count),
  swapTotalBytes: optional(count),
  swapFreeBytes: optional(count),
  pressure: optional(
    record<Pressure>({ cpuPercent: optional(count), memoryPercent: optional(count), ioPercent: optional(count) }),
  ),
  hugePagesFree: hugePages,
  network: list(
    record<NetworkUse>({
      name: text,
      state: optional(text),
      receivedBytes: optional(count),
      sentBytes: optional(count),
    }),
  ),
  filesystems: list(
    record<FilesystemUse>({ mountedAt: text, device: text, type: text, totalBytes: count, availableBytes: count }),
  ),
});
