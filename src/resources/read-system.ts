import type { MachineTree } from './machine-tree.ts';
import { firmwareText } from './plain-text.ts';
import type { SystemFacts } from './types.ts';

const DMI = 'sys/class/dmi/id';
/** The device tree, where boards without DMI describe themselves. */
const BOARD = 'sys/firmware/devicetree/base';

/**
 * Names and numbers of the machine: from DMI on PCs and many servers, the device tree on boards, /proc/sysinfo on IBM Z, and
 * what boards without any of these say in /proc/cpuinfo.
 */
export async function readSystem(tree: MachineTree, cpuinfo: string): Promise<SystemFacts> {
  const dmi = (file: string): Promise<string | undefined> => firmware(tree, `${DMI}/${file}`);
  const [hostname, kernel, sysinfo] = await Promise.all([
    tree.text('proc/sys/kernel/hostname'),
    tree.text('proc/sys/kernel/osrelease'),
    tree.lines('proc/sysinfo'),
  ]);
  const [vendor, product, version, serial, boardVendor, boardName, boardSerial] = await Promise.all(
    [
      'sys_vendor',
      'product_name',
      'product_version',
      'product_serial',
      'board_vendor',
      'board_name',
      'board_serial',
    ].map(dmi),
  );
  const firmwareParts = await Promise.all(['bios_vendor', 'bios_version', 'bios_date'].map(dmi));
  const [boardModel, boardSerialNumber] = await Promise.all([
    firmware(tree, `${BOARD}/model`),
    firmware(tree, `${BOARD}/serial-number`),
  ]);
  const z = (name: string): string | undefined => fieldOf(sysinfo, name);
  const machineType = z('Type');
  return {
    hostname,
    kernel,
    vendor: vendor ?? z('Manufacturer'),
    product:
      joined([product, version]) ??
      boardModel ??
      (machineType && joined([machineType, z('Model')])) ??
      fieldOf(cpuinfo, 'machine'),
    serial: serial ?? boardSerialNumber ?? z('Sequence Code') ?? fieldOf(cpuinfo, 'Serial'),
    board: joined([boardVendor, boardName]),
    boardSerial,
    firmware: joined(firmwareParts),
  };
}

async function firmware(tree: MachineTree, path: string): Promise<string | undefined> {
  const text = await tree.text(path);
  return text === undefined ? undefined : firmwareText(text);
}

/** The first line `name : value` of a file of such lines. */
function fieldOf(text: string | undefined, name: string): string | undefined {
  for (const line of (text ?? '').split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).trim() === name) return firmwareText(line.slice(colon + 1));
  }
  return undefined;
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? undefined : [...new Set(known)].join(' ');
}
