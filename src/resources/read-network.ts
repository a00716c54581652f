import { interfaceAddresses } from './addresses.ts';
import type { MachineTree } from './machine-tree.ts';
import { parseUevent, plainText } from './plain-text.ts';
import type { NetworkCard } from './types.ts';

const CARDS = 'sys/class/net';
/** fib_trie is long where there are many routes; the routing table too. */
const ROUTES_BYTES_MAX = 1024 * 1024;

/**
 * Network cards: those with a device, and of those made by software the ones with an address of their own. A node of
 * Kubernetes has hundreds of others, one for each pod, that come and go.
 */
export async function readNetwork(tree: MachineTree): Promise<NetworkCard[]> {
  const [names, fibTrie, routes, ifInet6] = await Promise.all([
    tree.names(CARDS),
    tree.lines('proc/net/fib_trie', ROUTES_BYTES_MAX),
    tree.lines('proc/net/route', ROUTES_BYTES_MAX),
    tree.lines('proc/net/if_inet6', ROUTES_BYTES_MAX),
  ]);
  const addresses = interfaceAddresses(fibTrie, routes, ifInet6);
  const cards = await Promise.all(
    names.filter((name) => name !== 'lo').map((name) => readCard(tree, name, addresses.get(name) ?? [])),
  );
  const shown = cards.filter((card) => card !== undefined);
  return [
    ...tree.some(
      shown.sort((a, b) => Number(b.isPhysical) - Number(a.isPhysical)),
      'network cards',
    ),
  ];
}

async function readCard(
  tree: MachineTree,
  name: string,
  addresses: readonly string[],
): Promise<NetworkCard | undefined> {
  const folder = `${CARDS}/${name}`;
  const device = parseUevent(await tree.lines(`${folder}/device/uevent`));
  const isPhysical = device.size > 0;
  if (!isPhysical && addresses.length === 0) return undefined;
  const [mac, mtu, speedMbps, virtualFunctionsMax, deviceName] = await Promise.all([
    tree.text(`${folder}/address`),
    tree.count(`${folder}/mtu`),
    tree.count(`${folder}/speed`),
    tree.count(`${folder}/device/sriov_totalvfs`),
    tree.linkName(`${folder}/device`),
  ]);
  const pciAddress = device.get('PCI_SLOT_NAME') ?? (deviceName?.match(/^[0-9a-f]{4}:/) ? deviceName : undefined);
  return {
    name: plainText(name) ?? '',
    isPhysical,
    mac: mac === '00:00:00:00:00:00' ? undefined : mac,
    addresses,
    // Drivers that do not know say 2^32-1 as often as -1.
    speedMbps: speedMbps === 0 || speedMbps === 0xffffffff ? undefined : speedMbps,
    mtu,
    driver: plainText(device.get('DRIVER') ?? ''),
    pciAddress: plainText(pciAddress ?? ''),
    virtualFunctionsMax: virtualFunctionsMax === 0 ? undefined : virtualFunctionsMax,
  };
}
