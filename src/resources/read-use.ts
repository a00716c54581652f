import { RESOURCE_LIMITS } from './limits.ts';
import { MachineTree } from './machine-tree.ts';
import { parseMeminfo, plainText } from './plain-text.ts';
import { readFilesystems } from './read-filesystems.ts';
import { readHugePages } from './read-memory.ts';
import { type MachineUse, type NetworkUse, type Pressure, RESOURCES_SCHEMA_VERSION } from './types.ts';

/** Clock ticks in /proc/stat, a constant of Linux's interface to programs (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Reads what the machine below `root` does right now. Never throws; what cannot be read is left out. */
export async function readUse(root: string): Promise<MachineUse> {
  const tree = new MachineTree(root);
  const [uptime, loadavg, stat, meminfo, pressure, hugePagesFree, network, filesystems] = await Promise.all([
    tree.text('proc/uptime'),
    tree.text('proc/loadavg'),
    // Its first line is all we take; the rest is long where there are many interrupts.
    tree.lines('proc/stat'),
    tree.lines('proc/meminfo'),
    readPressure(tree),
    readHugePages(tree, 'sys/kernel/mm/hugepages', 'free_hugepages'),
    readLinks(tree),
    readFilesystems(tree, root),
  ]);
  const memory = parseMeminfo(meminfo);
  return {
    schemaVersion: RESOURCES_SCHEMA_VERSION,
    uptimeSeconds: decimals(uptime, 1)?.[0],
    load: decimals(loadavg, 3),
    ...cpuSeconds(stat),
    memoryAvailableBytes: memory.get('MemAvailable'),
    memoryFreeBytes: memory.get('MemFree'),
    swapTotalBytes: memory.get('SwapTotal'),
    swapFreeBytes: memory.get('SwapFree'),
    pressure,
    hugePagesFree,
    network,
    filesystems,
  };
}

/** The first `count` numbers of a line; undefined when they are not all there. */
function decimals(text: string | undefined, count: number): number[] | undefined {
  const words = (text ?? '').split(' ').slice(0, count);
  return words.length === count && words.every((word) => /^\d{1,12}(\.\d{1,6})?$/.test(word))
    ? words.map(Number)
    : undefined;
}

/** user nice system idle iowait irq softirq steal; guests are counted within user (proc_stat(5)). */
function cpuSeconds(stat: string | undefined): Pick<MachineUse, 'cpuBusySeconds' | 'cpuIdleSeconds'> {
  const ticks = /^cpu\s+([\d ]+)$/m
    .exec(stat ?? '')?.[1]
    ?.split(' ')
    .map(Number)
    .slice(0, 8);
  if (ticks === undefined || ticks.length < 4 || !ticks.every(Number.isSafeInteger)) return {};
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  const busy = ticks.reduce((sum, value) => sum + value, 0) - idle;
  return { cpuBusySeconds: busy / TICKS_PER_SECOND, cpuIdleSeconds: idle / TICKS_PER_SECOND };
}

async function readPressure(tree: MachineTree): Promise<Pressure | undefined> {
  const [cpuPercent, memoryPercent, ioPercent] = await Promise.all(
    ['cpu', 'memory', 'io'].map(async (what) => {
      const avg10 = /^some avg10=(\d{1,3}\.\d{1,4})/m.exec((await tree.lines(`proc/pressure/${what}`)) ?? '')?.[1];
      return avg10 === undefined ? undefined : Number(avg10);
    }),
  );
  if (cpuPercent === undefined && memoryPercent === undefined && ioPercent === undefined) return undefined;
  return { cpuPercent, memoryPercent, ioPercent };
}

const CARDS = 'sys/class/net';

async function readLinks(tree: MachineTree): Promise<NetworkUse[]> {
  const names = tree
    .names(CARDS)
    .filter((name) => name !== 'lo')
    .slice(0, RESOURCE_LIMITS.devicesMax);
  const links = await Promise.all(
    names.map(async (name) => {
      const folder = `${CARDS}/${name}`;
      const [state, receivedBytes, sentBytes] = await Promise.all([
        tree.text(`${folder}/operstate`),
        tree.count(`${folder}/statistics/rx_bytes`),
        tree.count(`${folder}/statistics/tx_bytes`),
      ]);
      return { name: plainText(name) ?? '', state, receivedBytes, sentBytes };
    }),
  );
  return links.filter(({ state }) => state !== undefined);
}
