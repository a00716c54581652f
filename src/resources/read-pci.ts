import type { MachineTree } from './machine-tree.ts';
import { isGpuClass, pciKind, pciVendor } from './pci-names.ts';
import { parseUevent, plainText } from './plain-text.ts';
import type { Gpu, PciDevice } from './types.ts';

const DEVICES = 'sys/bus/pci/devices';

/** Everything on PCI, by address; at most `devicesMax`. */
export async function readPci(tree: MachineTree): Promise<PciDevice[]> {
  const addresses = tree.some(tree.names(DEVICES), 'PCI devices');
  const found = await Promise.all(addresses.map((address) => readDevice(tree, address)));
  return found.filter((device) => device !== undefined);
}

async function readDevice(tree: MachineTree, address: string): Promise<PciDevice | undefined> {
  const folder = `${DEVICES}/${address}`;
  const [uevent, numaNode, virtualFunctionsMax, functionOf] = await Promise.all([
    tree.lines(`${folder}/uevent`),
    tree.count(`${folder}/numa_node`),
    tree.count(`${folder}/sriov_totalvfs`),
    tree.linkName(`${folder}/physfn`),
  ]);
  const fields = parseUevent(uevent);
  const id = pciId(fields.get('PCI_ID'));
  // The kernel leaves leading zeros out.
  const classId = fields.get('PCI_CLASS')?.toLowerCase().padStart(6, '0') ?? '';
  if (id === undefined || !/^[0-9a-f]{6}$/.test(classId)) return undefined;
  return {
    address: plainText(address) ?? '',
    id,
    classId,
    kind: pciKind(classId),
    vendor: pciVendor(id),
    subsystem: pciId(fields.get('PCI_SUBSYS_ID')),
    driver: plainText(fields.get('DRIVER') ?? ''),
    numaNode,
    virtualFunctionsMax: virtualFunctionsMax === 0 ? undefined : virtualFunctionsMax,
    functionOf,
  };
}

function pciId(text: string | undefined): string | undefined {
  const id = text?.toLowerCase();
  return id !== undefined && /^[0-9a-f]{4}:[0-9a-f]{4}$/.test(id) ? id : undefined;
}

const CARDS = 'sys/class/drm';

/** Graphics cards and accelerators: of PCI by their class, of boards without PCI by their drm card. */
export async function readGpus(tree: MachineTree, pci: readonly PciDevice[]): Promise<Gpu[]> {
  const onPci = pci.filter(({ classId }) => isGpuClass(classId)).map((device) => readPciGpu(tree, device));
  const cards = tree.some(
    tree.names(CARDS).filter((name) => /^card\d+$/.test(name)),
    'graphics cards',
  );
  const onBoard = cards.map((card) => readBoardGpu(tree, card));
  const found = await Promise.all([...onPci, ...onBoard]);
  return found.filter((gpu) => gpu !== undefined);
}

async function readPciGpu(tree: MachineTree, device: PciDevice): Promise<Gpu> {
  const { address, vendor, driver, numaNode, id } = device;
  const [nvidia, product, memory] = await Promise.all([
    tree.lines(`proc/driver/nvidia/gpus/${address}/information`),
    tree.text(`${DEVICES}/${address}/product_name`),
    tree.count(`${DEVICES}/${address}/mem_info_vram_total`),
  ]);
  const model = plainText(/^Model:\s*(.*)$/m.exec(nvidia ?? '')?.[1] ?? '');
  return { address, vendor, model: model ?? product ?? id, driver, memoryBytes: memory, numaNode };
}

async function readBoardGpu(tree: MachineTree, card: string): Promise<Gpu | undefined> {
  const fields = parseUevent(await tree.lines(`${CARDS}/${card}/device/uevent`));
  if (fields.size === 0 || fields.has('PCI_ID')) return undefined;
  // A screen without a GPU has a card too: of a virtual machine, a USB adapter, the firmware's frame buffer.
  const driver = plainText(fields.get('DRIVER') ?? '');
  if (driver === undefined || /^(simple-framebuffer|simpledrm|efi-framebuffer|vkms)$/.test(driver)) return undefined;
  return {
    address: tree.linkName(`${CARDS}/${card}/device`) ?? card,
    driver,
    model: plainText(fields.get('OF_COMPATIBLE_0') ?? ''),
  };
}
