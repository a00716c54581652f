import type { MemberResources } from './answers.ts';
import { countText, sizeText, spanText, speedText, table, wrap } from './text-layout.ts';
import type { CpuFacts, Disk, MachineFacts, MachineUse } from './types.ts';

/** Room for the words on the left. */
const LABEL_COLUMNS = 14;

/** One member's machine, for people: lines at most `columns` wide, as far as names and numbers allow. */
export function showResources(member: MemberResources, columns: number): readonly string[] {
  const { facts, use } = member;
  const head = `${member.name ?? member.memberId}${member.memberId === 'local' ? ' (this machine)' : ''}  ${standing(member)}`;
  if (facts === undefined) return [head];
  const width = columns - LABEL_COLUMNS - 1;
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['Member', member.memberId === member.name || member.memberId === 'local' ? [] : [member.memberId]],
    ['System', systemLines(facts)],
    ['Kernel', kernelLines(facts, use)],
    ['CPU', cpuLines(facts.cpu)],
    ['Caches', cacheLines(facts.cpu)],
    ['Flags', flagLines(facts.cpu)],
    ['Memory', memoryLines(facts, use)],
    ['Load', loadLines(use)],
    ['GPUs', gpuLines(facts, width)],
    ['Disks', diskLines(facts.disks, width)],
    ['File systems', filesystemLines(use, width)],
    ['Network', networkLines(facts, use, width)],
    ['PCI', pciLines(facts, width)],
    ['USB', usbLines(facts, width)],
    ['Serial ports', serialLines(facts, width)],
    ['Not read', facts.incomplete],
  ];
  return [
    head,
    ...sections.flatMap(([label, lines]) =>
      lines
        // Tables are as wide as they must be; the rest is text.
        .flatMap((line) => (line.includes('  ') ? [line] : wrap(line, width)))
        .map((line, i) => `${(i === 0 ? `  ${label}` : '').padEnd(LABEL_COLUMNS)} ${line}`.trimEnd()),
    ),
  ];
}

function standing({ state, ageSeconds = 0, problem }: MemberResources): string {
  const age = ageSeconds < 10 ? 'read just now' : `read ${spanText(ageSeconds)} ago`;
  switch (state) {
    case 'current':
      return problem === undefined ? age : `${age}; ${problem}`;
    case 'stale':
      return `STALE: ${age}; ${problem ?? 'does not answer'}`;
    case 'missing':
      return `MISSING: ${problem ?? 'does not answer'}`;
  }
}

function systemLines({ system }: MachineFacts): readonly string[] {
  const named = [system.vendor, system.product].filter((part) => part !== undefined).join(' ');
  const parts = [
    named,
    system.serial === undefined ? '' : `serial ${system.serial}`,
    system.board === undefined ? '' : `board ${system.board}`,
    system.boardSerial === undefined ? '' : `board serial ${system.boardSerial}`,
    system.firmware === undefined ? '' : `firmware ${system.firmware}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? [] : [parts.join(', ')];
}

function kernelLines({ system, cpu }: MachineFacts, use: MachineUse | undefined): readonly string[] {
  const up = use?.uptimeSeconds === undefined ? '' : `, up ${spanText(use.uptimeSeconds)}`;
  return [`Linux ${system.kernel ?? '?'} on ${cpu.architecture}${up}`];
}

function cpuLines(cpu: CpuFacts): readonly string[] {
  const models =
    cpu.kinds.length > 1
      ? cpu.kinds.map(({ model, cpus }) => `${model ?? 'unknown model'} (CPUs ${cpus})`)
      : [[cpu.model ?? 'unknown model', cpu.vendor].filter((part) => part !== undefined).join(', ')];
  const counts = [
    countText(cpu.sockets, 'socket'),
    countText(cpu.cores, 'core'),
    countText(cpu.threads, 'thread'),
    cpu.mhzMax === undefined ? '' : `up to ${cpu.mhzMax} MHz`,
    cpu.level ?? '',
  ].filter((part) => part !== '');
  return [...models, counts.join(', '), ...(cpu.offline === undefined ? [] : [`switched off: CPUs ${cpu.offline}`])];
}

const CACHE_LETTERS = { data: 'd', instruction: 'i', unified: '' } as const;

function cacheLines({ caches }: CpuFacts): readonly string[] {
  const texts = caches.map(
    ({ level, type, sizeBytes, count }) => `L${level}${CACHE_LETTERS[type]} ${count} × ${sizeText(sizeBytes)}`,
  );
  return texts.length === 0 ? [] : [texts.join(', ')];
}

function flagLines({ flags, kinds }: CpuFacts): readonly string[] {
  const extra = kinds
    .filter(({ extraFlags }) => extraFlags.length > 0)
    .map(({ cpus, extraFlags }) => `CPUs ${cpus} also: ${extraFlags.join(' ')}`);
  return [...(flags.length === 0 ? [] : [flags.join(' ')]), ...extra];
}

function memoryLines({ memory }: MachineFacts, use: MachineUse | undefined): readonly string[] {
  const { memoryAvailableBytes, swapTotalBytes = 0, swapFreeBytes = 0 } = use ?? {};
  const parts = [
    memory.totalBytes === undefined ? 'unknown' : sizeText(memory.totalBytes),
    memoryAvailableBytes === undefined ? '' : `${sizeText(memoryAvailableBytes)} available`,
    swapTotalBytes === 0 ? '' : `swap ${sizeText(swapTotalBytes)}, ${sizeText(swapFreeBytes)} of it free`,
  ].filter((part) => part !== '');
  const nodes = memory.numaNodes.map(
    ({ node, cpus, totalBytes }) =>
      `NUMA node ${node}: ${totalBytes === undefined ? 'unknown' : sizeText(totalBytes)}, ${cpus === '' ? 'no CPUs' : `CPUs ${cpus}`}`,
  );
  const pages = memory.hugePages.map(
    ({ pageBytes, pages }) => `huge pages: ${pages} × ${sizeText(pageBytes)} = ${sizeText(pages * pageBytes)}`,
  );
  return [parts.join(', '), ...(nodes.length > 1 ? nodes : []), ...pages];
}

function loadLines(use: MachineUse | undefined): readonly string[] {
  if (use?.load === undefined) return [];
  const { cpuPercent, memoryPercent, ioPercent } = use.pressure ?? {};
  const waits = [['CPU', cpuPercent] as const, ['memory', memoryPercent] as const, ['I/O', ioPercent] as const].flatMap(
    ([what, percent]) => (percent === undefined ? [] : [`${what} ${Math.round(percent)} %`]),
  );
  const load = use.load.map((value) => value.toFixed(2)).join(', ');
  return [`${load} over 1, 5 and 15 min${waits.length === 0 ? '' : `; pressure: ${waits.join(', ')}`}`];
}

function gpuLines({ gpus }: MachineFacts, width: number): readonly string[] {
  const rows = gpus.map(({ address, vendor, model, memoryBytes, driver }) => [
    address,
    [vendor, model].filter((part) => part !== undefined).join(' '),
    memoryBytes === undefined ? '' : sizeText(memoryBytes),
    driver,
  ]);
  return rows.length === 0 ? [] : table(['ADDRESS', 'MODEL', 'MEMORY', 'DRIVER'], rows, width);
}

function diskLines(disks: readonly Disk[], width: number): readonly string[] {
  const rows = disks.flatMap((disk) => [
    [disk.name, size(disk.sizeBytes), diskType(disk), modelOf(disk), disk.serial],
    ...disk.partitions.map(({ name, sizeBytes, label }) => [` ${name}`, size(sizeBytes), '', label ?? '', '']),
  ]);
  return rows.length === 0 ? [] : table(['NAME', 'SIZE', 'TYPE', 'MODEL', 'SERIAL'], rows, width);
}

function diskType({ transport, isRotational, isRemovable, isReadOnly }: Disk): string {
  // Virtual disks say "rotational" for want of knowing.
  const turns = isRotational === true && (transport === 'ata' || transport === 'scsi' || transport === 'usb');
  return [
    transport,
    turns ? 'rotating' : '',
    isRemovable === true ? 'removable' : '',
    isReadOnly === true ? 'read-only' : '',
  ]
    .filter((word) => word !== undefined && word !== '')
    .join(', ');
}

function modelOf({ vendor, model }: Disk): string {
  return [vendor, model].filter((part) => part !== undefined).join(' ');
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? '?' : sizeText(bytes);
}

function filesystemLines(use: MachineUse | undefined, width: number): readonly string[] {
  const rows = (use?.filesystems ?? []).map(({ mountedAt, device, type, totalBytes, availableBytes }) => [
    mountedAt,
    sizeText(totalBytes),
    sizeText(availableBytes),
    type,
    device,
  ]);
  return rows.length === 0 ? [] : table(['MOUNTED AT', 'SIZE', 'AVAILABLE', 'TYPE', 'DEVICE'], rows, width);
}

function networkLines({ network }: MachineFacts, use: MachineUse | undefined, width: number): readonly string[] {
  const states = new Map((use?.network ?? []).map(({ name, state }) => [name, state]));
  const rows = network.map((card) => [
    card.name,
    states.get(card.name) ?? '',
    card.speedMbps === undefined ? '' : speedText(card.speedMbps),
    card.mac,
    [
      card.isPhysical ? '' : 'virtual',
      card.driver ?? '',
      card.virtualFunctionsMax === undefined ? '' : `SR-IOV ${card.virtualFunctionsMax}`,
    ]
      .filter((word) => word !== '')
      .join(', '),
    card.addresses.join(' '),
  ]);
  return rows.length === 0 ? [] : table(['NAME', 'STATE', 'SPEED', 'MAC', 'DRIVER', 'ADDRESSES'], rows, width);
}

function pciLines({ pci }: MachineFacts, width: number): readonly string[] {
  // Bridges are the roads between the others, and a virtual function is its card once more.
  const shown = pci.filter(({ classId, functionOf }) => !classId.startsWith('06') && functionOf === undefined);
  const rows = shown.map(({ address, kind, vendor, id, driver }) => [
    address,
    kind,
    vendor === undefined ? id : `${vendor} ${id}`,
    driver,
  ]);
  return rows.length === 0 ? [] : table(['ADDRESS', 'KIND', 'DEVICE', 'DRIVER'], rows, width);
}

function usbLines({ usb }: MachineFacts, width: number): readonly string[] {
  const rows = usb.map(({ port, id, vendor, product, serial, speedMbps }) => [
    port,
    id,
    [vendor, product].filter((part) => part !== undefined).join(' '),
    speedMbps === undefined ? '' : speedText(speedMbps),
    serial,
  ]);
  return rows.length === 0 ? [] : table(['PORT', 'ID', 'DEVICE', 'SPEED', 'SERIAL'], rows, width);
}

function serialLines({ serialPorts }: MachineFacts, width: number): readonly string[] {
  const rows = serialPorts.map(({ name, driver, usbPort }) => [
    `/dev/${name}`,
    driver,
    usbPort === undefined ? '' : `USB ${usbPort}`,
  ]);
  return rows.length === 0 ? [] : table(['NAME', 'DRIVER', 'ON'], rows, width);
}
