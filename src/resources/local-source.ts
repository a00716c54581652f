import { MachineTree } from './machine-tree.ts';
import { readBootId, readFacts } from './read-facts.ts';
import { readUse } from './read-use.ts';
import type { ResourceSource } from './resource-source.ts';
import type { MachineFacts, MachineUse } from './types.ts';

export interface LocalSourceOptions {
  readonly memberId: string;
  /** The folder that /proc and /sys are in: `/`, or where a container has its host's. */
  readonly root: string;
}

/** The machine we run on. However many ask at once, it is read once. */
export async function openLocalSource({ memberId, root }: LocalSourceOptions): Promise<ResourceSource> {
  const [bootId, name] = await Promise.all([readBootId(root), new MachineTree(root).text('proc/sys/kernel/hostname')]);
  let facts: Promise<MachineFacts> | undefined;
  let use: Promise<MachineUse> | undefined;
  return {
    memberId,
    name,
    bootId,
    isSelf: true,
    facts() {
      facts ??= readFacts(root).finally(() => {
        facts = undefined;
      });
      return facts;
    },
    use() {
      use ??= readUse(root).finally(() => {
        use = undefined;
      });
      return use;
    },
  };
}
