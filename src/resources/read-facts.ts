import { Failure } from '../base/failure.ts';
import { readBootId } from './boot-id.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import { MachineTree } from './machine-tree.ts';
import { readCpu } from './read-cpu.ts';
import { readDisks } from './read-disks.ts';
import { readMemory } from './read-memory.ts';
import { readNetwork } from './read-network.ts';
import { readGpus, readPci } from './read-pci.ts';
import { readSystem } from './read-system.ts';
import { readSerialPorts, readUsb } from './read-usb.ts';
import { type MachineFacts, RESOURCES_SCHEMA_VERSION } from './types.ts';

/**
 * Reads what the machine below `root` has. Starts no process and runs no shell; a file that is missing costs its fact and
 * nothing else. Throws Failure where there is no /proc at all.
 */
export async function readFacts(root: string): Promise<MachineFacts> {
  const tree = new MachineTree(root);
  const cpuinfo = (await tree.lines('proc/cpuinfo', RESOURCE_LIMITS.cpuinfoBytesMax)) ?? '';
  const [bootId, system, cpu, memory, pci, network, disks, usb, serialPorts] = await Promise.all([
    readBootId(root),
    readSystem(tree, cpuinfo),
    readCpu(tree, cpuinfo),
    readMemory(tree),
    readPci(tree),
    readNetwork(tree),
    readDisks(tree),
    readUsb(tree),
    readSerialPorts(tree),
  ]);
  if (cpu.threads === 0 && memory.totalBytes === undefined) {
    throw new Failure(
      `there is no Linux machine to read below ${root}: neither proc/cpuinfo nor proc/meminfo says anything ` +
        "(in a container, mount the host's /proc and /sys and name the folder above them)",
    );
  }
  const gpus = await readGpus(tree, pci);
  const { incomplete } = tree;
  return {
    schemaVersion: RESOURCES_SCHEMA_VERSION,
    bootId,
    system,
    cpu,
    memory,
    pci,
    gpus,
    network,
    disks,
    usb,
    serialPorts,
    incomplete,
  };
}
