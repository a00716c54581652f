import { MachineTree } from './machine-tree.ts';

/** Of this start of the machine; undefined where the kernel does not say. */
export async function readBootId(root: string): Promise<string | undefined> {
  const text = await new MachineTree(root).text('proc/sys/kernel/random/boot_id');
  return text !== undefined && /^[0-9a-f-]{8,64}$/i.test(text) ? text : undefined;
}
