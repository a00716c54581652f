import { CPUS } from './cpu-folder.ts';
import type { MachineTree } from './machine-tree.ts';
import { parseKernelSize } from './plain-text.ts';
import type { CpuCache } from './types.ts';

/** How the CPUs sit together. */
export interface CpuGroups {
  readonly online: readonly number[];
  /** The threads of each core; empty when the kernel does not say. */
  readonly cores: readonly (readonly number[])[];
  /** CPUs that are alike. */
  readonly kinds: readonly (readonly number[])[];
}

const CACHE_TYPES: ReadonlyMap<string, CpuCache['type']> = new Map([
  ['Data', 'data'],
  ['Instruction', 'instruction'],
  ['Unified', 'unified'],
]);
/** index0 … : level 1 data and instructions, 2, 3, and one more where a memory side cache is. */
const CACHE_INDEX = /^index\d$/;

/**
 * Caches by level, type and size, with how many there are. CPUs that are alike have caches of one size, so it is read once
 * for each kind, and a cache that one core has for itself every other of its kind has too: a large machine has thousands
 * of files that would say so.
 */
export async function readCaches(tree: MachineTree, groups: CpuGroups): Promise<CpuCache[]> {
  const found = new Map<string, CpuCache>();
  for (const kind of await alikeCpus(tree, groups)) {
    const first = kind[0];
    const indices = tree.names(`${CPUS}/cpu${first}/cache`).filter((name) => CACHE_INDEX.test(name));
    for (const cache of await Promise.all(indices.map((index) => readCache(tree, index, kind, groups)))) {
      if (cache === undefined) continue;
      const key = `${cache.level} ${cache.type} ${String(cache.sizeBytes).padStart(16, '0')}`;
      found.set(key, { ...cache, count: cache.count + (found.get(key)?.count ?? 0) });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cache]) => cache);
}

/** Intel's small cores have the big ones' name and flags: which they are stands with their counters. */
async function alikeCpus(tree: MachineTree, { online, kinds }: CpuGroups): Promise<readonly (readonly number[])[]> {
  const small = new Set(await tree.cpus('sys/devices/cpu_atom/cpus'));
  const listed = new Set(kinds.flat());
  const unlisted = online.filter((cpu) => !listed.has(cpu));
  return [...kinds, unlisted]
    .flatMap((kind) => [kind.filter((cpu) => !small.has(cpu)), kind.filter((cpu) => small.has(cpu))])
    .filter((kind) => kind.length > 0);
}

async function readCache(
  tree: MachineTree,
  index: string,
  kind: readonly number[],
  { cores }: CpuGroups,
): Promise<CpuCache | undefined> {
  const file = (cpu: number | undefined, name: string): string => `${CPUS}/cpu${cpu}/cache/${index}/${name}`;
  const [first] = kind;
  const [shared, level, typeName, size] = await Promise.all([
    tree.cpus(file(first, 'shared_cpu_list')),
    tree.text(file(first, 'level')),
    tree.text(file(first, 'type')),
    tree.text(file(first, 'size')),
  ]);
  const type = CACHE_TYPES.get(typeName ?? '');
  const sizeBytes = parseKernelSize(size);
  if (type === undefined || sizeBytes === undefined || !/^\d$/.test(level ?? '')) return undefined;
  const inKind = new Set(kind);
  const ownCore = cores.find((threads) => threads.some((cpu) => cpu === first));
  const isPrivate = ownCore !== undefined && `${ownCore}` === `${shared}`;
  const count = isPrivate
    ? cores.filter((threads) => threads.some((cpu) => inKind.has(cpu))).length
    : await countShared(tree, kind, (cpu) => file(cpu, 'shared_cpu_list'));
  return { level: Number(level), type, sizeBytes, count };
}

async function countShared(tree: MachineTree, cpus: readonly number[], file: (cpu: number) => string): Promise<number> {
  const seen = new Set<number>();
  let count = 0;
  for (const cpu of cpus) {
    if (seen.has(cpu)) continue;
    for (const member of (await tree.cpus(file(cpu))) ?? []) seen.add(member);
    count += 1;
  }
  return count;
}
