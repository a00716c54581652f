import { formatCpuList } from './cpu-list.ts';
import type { MachineTree } from './machine-tree.ts';
import { parseCount, parseMeminfo } from './plain-text.ts';
import type { HugePages, MemoryFacts, NumaNode } from './types.ts';

const NODES = 'sys/devices/system/node';

export async function readMemory(tree: MachineTree): Promise<MemoryFacts> {
  const [meminfo, hugePages, names] = await Promise.all([
    tree.lines('proc/meminfo'),
    readHugePages(tree, 'sys/kernel/mm/hugepages', 'nr_hugepages'),
    tree.names(NODES),
  ]);
  const nodes = names.flatMap((name) => /^node(\d{1,4})$/.exec(name)?.[1] ?? []).map(Number);
  return {
    totalBytes: parseMeminfo(meminfo).get('MemTotal'),
    hugePages,
    numaNodes: await Promise.all(nodes.map((node) => readNode(tree, node))),
  };
}

async function readNode(tree: MachineTree, node: number): Promise<NumaNode> {
  const folder = `${NODES}/node${node}`;
  const [cpus, meminfo, hugePages] = await Promise.all([
    tree.cpus(`${folder}/cpulist`),
    tree.lines(`${folder}/meminfo`),
    readHugePages(tree, `${folder}/hugepages`, 'nr_hugepages'),
  ]);
  return {
    node,
    cpus: formatCpuList(cpus ?? []),
    totalBytes: parseMeminfo(meminfo).get('MemTotal'),
    hugePages,
  };
}

/** Sizes with at least one page, smallest first; `count` is the file to read of each: nr_hugepages, free_hugepages. */
export async function readHugePages(tree: MachineTree, folder: string, count: string): Promise<HugePages[]> {
  const sizes = await Promise.all(
    tree.names(folder).map(async (name) => {
      const kib = parseCount(/^hugepages-(\d+)kB$/.exec(name)?.[1]);
      const pages = kib === undefined ? undefined : await tree.count(`${folder}/${name}/${count}`);
      return { pageBytes: (kib ?? 0) * 1024, pages: pages ?? 0 };
    }),
  );
  return sizes.filter(({ pages, pageBytes }) => pages > 0 && Number.isSafeInteger(pageBytes));
}
