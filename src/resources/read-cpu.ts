import { architectureOf } from './architecture.ts';
import { type CoreDescription, describeCores } from './core-descriptions.ts';
import { cpuLevel } from './cpu-levels.ts';
import { formatCpuList } from './cpu-list.ts';
import { type Cpuinfo, parseCpuinfo } from './cpuinfo.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import type { MachineTree } from './machine-tree.ts';
import { parseKernelSize } from './plain-text.ts';
import type { CoreKind, CpuCache, CpuFacts } from './types.ts';

const CPUS = 'sys/devices/system/cpu';

/** The processors. /proc/cpuinfo says what they are, /sys how they sit together. */
export async function readCpu(tree: MachineTree): Promise<CpuFacts> {
  const [text, kernelArch, auxv, online, present] = await Promise.all([
    tree.lines('proc/cpuinfo', RESOURCE_LIMITS.cpuinfoBytesMax),
    tree.text('proc/sys/kernel/arch'),
    tree.bytes('proc/self/auxv'),
    tree.cpus(`${CPUS}/online`),
    tree.cpus(`${CPUS}/present`),
  ]);
  const info = parseCpuinfo(text ?? '');
  const architecture = architectureOf(kernelArch, info);
  const described = describeCores(architecture, info, auxv);
  const onlineCpus = online === undefined || online.length === 0 ? described.map(({ cpu }) => cpu) : online;
  const isOnline = new Set(onlineCpus);
  const offline = (present ?? []).filter((cpu) => !isOnline.has(cpu));
  const flags = commonFlags(described.map((core) => core.flags));
  const [sockets, cores, caches, mhzMax] = await Promise.all([
    countGroups(tree, onlineCpus, 'core_siblings_list'),
    countGroups(tree, onlineCpus, 'thread_siblings_list'),
    readCaches(tree, onlineCpus),
    readMhzMax(tree, onlineCpus),
  ]);
  return {
    architecture,
    vendor: described[0]?.vendor,
    model: described[0]?.model,
    sockets: sockets ?? countInCpuinfo(info, ['physical id', 'package']) ?? (onlineCpus.length > 0 ? 1 : 0),
    cores: cores ?? countInCpuinfo(info, ['physical id', 'package'], ['core id', 'core']) ?? onlineCpus.length,
    threads: onlineCpus.length,
    offline: offline.length === 0 ? undefined : formatCpuList(offline),
    kinds: coreKinds(described, flags),
    flags,
    level: cpuLevel(architecture, flags),
    mhzMax,
    caches,
  };
}

/** What all sets have; nothing when there is no set. */
export function commonFlags(sets: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = sets;
  // Most cores are alike: comparing the text once saves thousands of sets on a large machine.
  const different = new Map(others.map((flags) => [flags.join(' '), flags]));
  const lookups = [...different.values()].map((flags) => new Set(flags));
  return [...new Set(first)].filter((flag) => lookups.every((flags) => flags.has(flag))).sort();
}

function coreKinds(described: readonly CoreDescription[], common: readonly string[]): CoreKind[] {
  const isCommon = new Set(common);
  const kinds = new Map<string, { readonly core: CoreDescription; readonly cpus: number[] }>();
  for (const core of described) {
    const key = `${core.model}\n${core.flags.join(' ')}`;
    const kind = kinds.get(key) ?? { core, cpus: [] };
    kind.cpus.push(core.cpu);
    kinds.set(key, kind);
  }
  return [...kinds.values()].map(({ core, cpus }) => ({
    model: core.model,
    cpus: formatCpuList(cpus),
    extraFlags: core.flags.filter((flag) => !isCommon.has(flag)),
  }));
}

/**
 * How many groups the CPUs fall into: each CPU's file lists its whole group, so one file a group is enough.
 * (`core_siblings` are a socket's CPUs, `thread_siblings` a core's; the names that every kernel has.)
 */
async function countGroups(tree: MachineTree, cpus: readonly number[], file: string): Promise<number | undefined> {
  const seen = new Set<number>();
  let groups = 0;
  for (const cpu of cpus) {
    if (seen.has(cpu)) continue;
    const members = (await tree.cpus(`${CPUS}/cpu${cpu}/topology/${file}`)) ?? [];
    // Without topology for one there is none to trust.
    if (!members.includes(cpu)) return undefined;
    for (const member of members) seen.add(member);
    groups += 1;
  }
  return groups === 0 ? undefined : groups;
}

/** Different values of these fields, each the first of its names that is there; undefined where a processor has none. */
function countInCpuinfo(info: Cpuinfo, ...fields: readonly (readonly string[])[]): number | undefined {
  const values = new Set<string>();
  for (const processor of info.processors) {
    const found = fields.map((names) => names.map((name) => processor.fields.get(name)).find(isGiven));
    if (!found.every(isGiven)) return undefined;
    values.add(found.join(' '));
  }
  return values.size === 0 ? undefined : values.size;
}

function isGiven(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

const CACHE_TYPES: ReadonlyMap<string, CpuCache['type']> = new Map([
  ['Data', 'data'],
  ['Instruction', 'instruction'],
  ['Unified', 'unified'],
]);
/** index0 … : level 1 data and instructions, 2, 3, and one more where a memory side cache is. */
const CACHE_INDEX = /^index\d$/;

/** Caches by level, type and size, with how many there are. */
async function readCaches(tree: MachineTree, cpus: readonly number[]): Promise<CpuCache[]> {
  const found = new Map<string, { readonly cache: Omit<CpuCache, 'count'>; count: number }>();
  // A small core may have fewer than a big one; small ones come first, big ones last.
  const ends = [...new Set([cpus[0], cpus.at(-1)])];
  const indices = (await Promise.all(ends.map((cpu) => tree.names(`${CPUS}/cpu${cpu}/cache`)))).flat();
  await Promise.all(
    [...new Set(indices.filter((name) => CACHE_INDEX.test(name)))].map(async (index) => {
      const seen = new Set<number>();
      for (const cpu of cpus) {
        if (seen.has(cpu)) continue;
        const folder = `${CPUS}/cpu${cpu}/cache/${index}`;
        const [shared, level, type, size] = await Promise.all([
          tree.cpus(`${folder}/shared_cpu_list`),
          ...['level', 'type', 'size'].map((file) => tree.text(`${folder}/${file}`)),
        ] as const);
        for (const member of shared ?? []) seen.add(member);
        const cacheType = CACHE_TYPES.get(type ?? '');
        const sizeBytes = parseKernelSize(size);
        if (cacheType === undefined || sizeBytes === undefined || !/^\d$/.test(level ?? '')) continue;
        const key = `${level} ${type} ${String(sizeBytes).padStart(16, '0')}`;
        const same = found.get(key) ?? { cache: { level: Number(level), type: cacheType, sizeBytes }, count: 0 };
        same.count += 1;
        found.set(key, same);
      }
    }),
  );
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { cache, count }]) => ({ ...cache, count }));
}

async function readMhzMax(tree: MachineTree, cpus: readonly number[]): Promise<number | undefined> {
  const first = cpus[0];
  const last = cpus.at(-1);
  if (first === undefined || last === undefined) return undefined;
  // Little cores come first on most boards, big ones last: the two ends tell enough.
  const khz = await Promise.all(
    [...new Set([first, last])].map((cpu) => tree.count(`${CPUS}/cpu${cpu}/cpufreq/cpuinfo_max_freq`)),
  );
  const known = khz.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.round(Math.max(...known) / 1000);
}
