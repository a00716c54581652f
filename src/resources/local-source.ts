import { readBootId } from './boot-id.ts';
import { MachineTree } from './machine-tree.ts';
import { readFacts } from './read-facts.ts';
import { readUse } from './read-use.ts';
import type { ResourceSource } from './resource-source.ts';
import type { MachineFacts, MachineUse } from './types.ts';

export interface LocalSourceOptions {
  readonly memberId: string;
  /** The folder that /proc and /sys are in: `/`, or where a container has its host's. */
  readonly root: string;
  /** The machine has changed since it was read last: a disk was plugged in, a card has another address. */
  readonly onChange?: (() => void) | undefined;
}

/** The machine we run on. However many ask at once, it is read once. */
export async function openLocalSource({ memberId, root, onChange }: LocalSourceOptions): Promise<ResourceSource> {
  const [bootId, name] = await Promise.all([readBootId(root), new MachineTree(root).text('proc/sys/kernel/hostname')]);
  let facts: Promise<MachineFacts> | undefined;
  let use: Promise<MachineUse> | undefined;
  let lastRead: string | undefined;
  const read = async (): Promise<MachineFacts> => {
    const found = await readFacts(root);
    const before = lastRead;
    lastRead = JSON.stringify(found);
    if (before !== undefined && before !== lastRead) onChange?.();
    return found;
  };
  return {
    memberId,
    name,
    bootId,
    isSelf: true,
    facts() {
      facts ??= read().finally(() => {
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
