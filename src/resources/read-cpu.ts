import { architectureOf } from './architecture.ts';
import { type CoreDescription, describeCores } from './core-descriptions.ts';
import { CPUS } from './cpu-folder.ts';
import { cpuLevel } from './cpu-levels.ts';
import { formatCpuList, parseCpuList } from './cpu-list.ts';
import { type Cpuinfo, parseCpuinfo } from './cpuinfo.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import type { MachineTree } from './machine-tree.ts';
import { readCaches } from './read-caches.ts';
import type { CoreKind, CpuFacts } from './types.ts';

/** The processors. /proc/cpuinfo says what they are, /sys how they sit together. */
export async function readCpu(tree: MachineTree, cpuinfo: string): Promise<CpuFacts> {
  const [kernelArch, auxv, online, present] = await Promise.all([
    tree.text('proc/sys/kernel/arch'),
    tree.bytes('proc/self/auxv'),
    tree.cpus(`${CPUS}/online`),
    tree.cpus(`${CPUS}/present`),
  ]);
  const info = parseCpuinfo(cpuinfo);
  const architecture = architectureOf(kernelArch, info);
  const described = describeCores(architecture, info, auxv);
  const onlineCpus = online === undefined || online.length === 0 ? described.map(({ cpu }) => cpu) : online;
  const isOnline = new Set(onlineCpus);
  const offline = (present ?? []).filter((cpu) => !isOnline.has(cpu));
  const flags = commonFlags(described.map((core) => core.flags));
  const kinds = coreKinds(described, flags);
  const [sockets, cores, mhzMax] = await Promise.all([
    readGroups(tree, onlineCpus, 'core_siblings_list'),
    readGroups(tree, onlineCpus, 'thread_siblings_list'),
    readMhzMax(tree, onlineCpus),
  ]);
  const caches = await readCaches(tree, {
    online: onlineCpus,
    cores: cores ?? [],
    kinds: kinds.map(({ cpus }) => parseCpuList(cpus)),
  });
  return {
    architecture,
    vendor: described[0]?.vendor,
    model: described[0]?.model,
    sockets: sockets?.length ?? countInCpuinfo(info, ['physical id', 'package']) ?? (onlineCpus.length > 0 ? 1 : 0),
    cores: cores?.length ?? countInCpuinfo(info, ['physical id', 'package'], ['core id', 'core']) ?? onlineCpus.length,
    threads: onlineCpus.length,
    offline: offline.length === 0 ? undefined : formatCpuList(offline),
    kinds,
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
 * The groups that the CPUs fall into: each CPU's file lists its whole group, so one file a group is enough.
 * (`core_siblings` are a socket's CPUs, `thread_siblings` a core's; the names that every kernel has.)
 */
async function readGroups(
  tree: MachineTree,
  cpus: readonly number[],
  file: string,
): Promise<readonly (readonly number[])[] | undefined> {
  const seen = new Set<number>();
  const groups: (readonly number[])[] = [];
  for (let left = cpus; left.length > 0; left = left.filter((cpu) => !seen.has(cpu))) {
    // A few at once: some of them turn out to be of one group, and it is still quicker than one after the other.
    const some = left.slice(0, RESOURCE_LIMITS.openAtOnceMax);
    const lists = await Promise.all(some.map((cpu) => tree.cpus(`${CPUS}/cpu${cpu}/topology/${file}`)));
    for (const [i, cpu] of some.entries()) {
      const members = lists[i] ?? [];
      // Without topology for one there is none to trust.
      if (!members.includes(cpu)) return undefined;
      if (!seen.has(cpu)) groups.push(members);
      for (const member of members) seen.add(member);
    }
  }
  return groups.length === 0 ? undefined : groups;
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
