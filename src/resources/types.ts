/**
 * The words of the room. Two things are told of a machine, and they never mix:
 *
 *   MachineFacts  what it has: stays the same until somebody touches it or it starts anew. Kept for a day.
 *   MachineUse    what it does: load, memory in use, links up or down. Asked for each time, never kept.
 *
 * Both travel as JSON between members, lie in cache files and are shown to people as JSON and YAML. Whoever changes the
 * meaning or the shape of a field raises RESOURCES_SCHEMA_VERSION: answers of another version are refused by name, cache
 * files of another version are read anew. What is not known is left out, never guessed, never null.
 */
export const RESOURCES_SCHEMA_VERSION = 1;

export interface MachineFacts {
  readonly schemaVersion: typeof RESOURCES_SCHEMA_VERSION;
  /** Of this start of the machine (/proc/sys/kernel/random/boot_id). */
  readonly bootId?: string | undefined;
  readonly system: SystemFacts;
  readonly cpu: CpuFacts;
  readonly memory: MemoryFacts;
  readonly pci: readonly PciDevice[];
  readonly gpus: readonly Gpu[];
  readonly network: readonly NetworkCard[];
  readonly disks: readonly Disk[];
  readonly usb: readonly UsbDevice[];
  readonly serialPorts: readonly SerialPort[];
  /** What was not read whole, because it met a limit (RESOURCE_LIMITS). Empty nearly everywhere. */
  readonly incomplete: readonly string[];
}

export interface SystemFacts {
  readonly hostname?: string | undefined;
  /** `6.1.0-18-amd64` */
  readonly kernel?: string | undefined;
  readonly vendor?: string | undefined;
  readonly product?: string | undefined;
  /** Serial number of the machine; many kernels show it to root only. */
  readonly serial?: string | undefined;
  readonly board?: string | undefined;
  readonly boardSerial?: string | undefined;
  /** Vendor, version and date in one line. */
  readonly firmware?: string | undefined;
}

export interface CpuFacts {
  /** As `uname -m` says it, 32-bit ARM as `arm`: x86_64, aarch64, riscv64, s390x, ppc64le, loongarch64, mips, … */
  readonly architecture: string;
  readonly vendor?: string | undefined;
  /** Of the first core; `kinds` has all. */
  readonly model?: string | undefined;
  /** With a CPU that is online. */
  readonly sockets: number;
  readonly cores: number;
  /** Logical CPUs that are online. */
  readonly threads: number;
  /** Logical CPUs that are there but switched off, as a list: `2-3`. Nothing else is known of them. */
  readonly offline?: string | undefined;
  /** Cores that are alike, in the order of their first CPU: one kind, or several on big.LITTLE and its like. */
  readonly kinds: readonly CoreKind[];
  /** Flags that every core has, in the kernel's spelling, sorted. */
  readonly flags: readonly string[];
  /** The highest level (x86-64-v3, power9, z14) whose flags all are there. */
  readonly level?: string | undefined;
  readonly mhzMax?: number | undefined;
  readonly caches: readonly CpuCache[];
}

export interface CoreKind {
  readonly model?: string | undefined;
  /** Logical CPUs: `0-3`. */
  readonly cpus: string;
  /** Flags of these beyond those that every core has. */
  readonly extraFlags: readonly string[];
}

export interface CpuCache {
  readonly level: number;
  readonly type: 'data' | 'instruction' | 'unified';
  readonly sizeBytes: number;
  /** How many of these the machine has. */
  readonly count: number;
}

export interface MemoryFacts {
  /** What the kernel manages; a little less than what is plugged in. */
  readonly totalBytes?: number | undefined;
  /** Sizes that are set up, with how many pages. */
  readonly hugePages: readonly HugePages[];
  /** Empty where the kernel shows none, as in many containers. */
  readonly numaNodes: readonly NumaNode[];
}

export interface HugePages {
  readonly pageBytes: number;
  readonly pages: number;
}

export interface NumaNode {
  readonly node: number;
  readonly cpus: string;
  readonly totalBytes?: number | undefined;
  readonly hugePages: readonly HugePages[];
}

export interface PciDevice {
  /** `0000:3b:00.0` */
  readonly address: string;
  /** `8086:1533` */
  readonly id: string;
  /** Six hexadecimal digits: `020000`. */
  readonly classId: string;
  /** The class in words. */
  readonly kind: string;
  readonly vendor?: string | undefined;
  readonly subsystem?: string | undefined;
  readonly driver?: string | undefined;
  readonly numaNode?: number | undefined;
  /** SR-IOV: how many virtual functions it can have. */
  readonly virtualFunctionsMax?: number | undefined;
  /** SR-IOV: it is a virtual function of the device at this address. */
  readonly functionOf?: string | undefined;
}

export interface Gpu {
  /** PCI address, or the device's name on the board. */
  readonly address: string;
  readonly vendor?: string | undefined;
  readonly model?: string | undefined;
  readonly driver?: string | undefined;
  readonly memoryBytes?: number | undefined;
  readonly numaNode?: number | undefined;
}

export interface NetworkCard {
  readonly name: string;
  /** Of a device, or made by software (a bridge, a bond, a container's end of a pair). */
  readonly isPhysical: boolean;
  readonly mac?: string | undefined;
  /** With their prefix length: `192.0.2.2/24`, `2001:db8::2/64`; not link-local ones. */
  readonly addresses: readonly string[];
  /** As negotiated when it was read. */
  readonly speedMbps?: number | undefined;
  readonly mtu?: number | undefined;
  readonly driver?: string | undefined;
  readonly pciAddress?: string | undefined;
  readonly virtualFunctionsMax?: number | undefined;
}

export interface Disk {
  readonly name: string;
  readonly sizeBytes?: number | undefined;
  /** nvme, ata, usb, virtio, mmc, …; `mapper` and `raid` for those made by software. */
  readonly transport?: string | undefined;
  readonly vendor?: string | undefined;
  readonly model?: string | undefined;
  readonly serial?: string | undefined;
  readonly isRotational?: boolean | undefined;
  readonly isRemovable?: boolean | undefined;
  readonly isReadOnly?: boolean | undefined;
  readonly partitions: readonly Partition[];
}

export interface Partition {
  readonly name: string;
  readonly sizeBytes?: number | undefined;
  readonly startBytes?: number | undefined;
  readonly label?: string | undefined;
}

export interface UsbDevice {
  /** Bus and ports: `1-1.4`. */
  readonly port: string;
  /** `0403:6001` */
  readonly id: string;
  readonly vendor?: string | undefined;
  readonly product?: string | undefined;
  readonly serial?: string | undefined;
  readonly speedMbps?: number | undefined;
}

export interface SerialPort {
  /** Below /dev: `ttyUSB0`. */
  readonly name: string;
  readonly driver?: string | undefined;
  /** The USB device behind it. */
  readonly usbPort?: string | undefined;
}

/** What a machine does right now. */
export interface MachineUse {
  readonly schemaVersion: typeof RESOURCES_SCHEMA_VERSION;
  readonly uptimeSeconds?: number | undefined;
  /** Over 1, 5 and 15 minutes. */
  readonly load?: readonly number[] | undefined;
  /** Of all CPUs together, since the start: two answers make a rate. */
  readonly cpuBusySeconds?: number | undefined;
  readonly cpuIdleSeconds?: number | undefined;
  readonly memoryAvailableBytes?: number | undefined;
  readonly memoryFreeBytes?: number | undefined;
  readonly swapTotalBytes?: number | undefined;
  readonly swapFreeBytes?: number | undefined;
  /** Percent of the last ten seconds in which something waited for it. */
  readonly pressure?: Pressure | undefined;
  readonly hugePagesFree: readonly HugePages[];
  readonly network: readonly NetworkUse[];
  readonly filesystems: readonly FilesystemUse[];
}

export interface Pressure {
  readonly cpuPercent?: number | undefined;
  readonly memoryPercent?: number | undefined;
  readonly ioPercent?: number | undefined;
}

export interface NetworkUse {
  readonly name: string;
  /** up, down, dormant, unknown, … */
  readonly state?: string | undefined;
  readonly receivedBytes?: number | undefined;
  readonly sentBytes?: number | undefined;
}

export interface FilesystemUse {
  readonly mountedAt: string;
  readonly device: string;
  readonly type: string;
  readonly totalBytes: number;
  /** What ordinary users may still fill. */
  readonly availableBytes: number;
}
