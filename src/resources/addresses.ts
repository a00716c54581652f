import { RESOURCE_LIMITS } from './limits.ts';

/*
 * Which addresses each network interface has, from /proc/net: IPv6 is listed with its interface, IPv4 is not. Its own
 * addresses are the leaves "/32 host LOCAL" of fib_trie, and the interface is the one whose route leads to the network
 * around them.
 */

/** Interface → addresses with prefix length, in order. Loopback and link-local ones are left out. */
export function interfaceAddresses(
  fibTrie: string | undefined,
  routes: string | undefined,
  ifInet6: string | undefined,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const add = (name: string, address: string): void => {
    const addresses = found.get(name) ?? [];
    if (addresses.length < RESOURCE_LIMITS.addressesPerCardMax && !addresses.includes(address)) addresses.push(address);
    found.set(name, addresses);
  };
  const networks = parseRoutes(routes);
  for (const address of localIpv4(fibTrie)) {
    const number = ipv4Number(address);
    const network = networks.find(({ base, mask }) => (number & mask) >>> 0 === base);
    if (network !== undefined) add(network.name, `${address}/${network.prefix}`);
  }
  for (const line of (ifInet6 ?? '').split('\n')) {
    const match = /^([0-9a-f]{32}) [0-9a-f]+ ([0-9a-f]{2}) ([0-9a-f]{2}) [0-9a-f]{2}\s+(\S{1,64})$/.exec(line.trim());
    // Scope 0 is global: not of the link (20), the site (40) or the host (10).
    if (match?.[3] === '00')
      add(match[4] ?? '', `${formatIpv6(match[1] ?? '')}/${Number.parseInt(match[2] ?? '', 16)}`);
  }
  return found;
}

function localIpv4(fibTrie: string | undefined): readonly string[] {
  const found = new Set<string>();
  let leaf = '';
  for (const line of (fibTrie ?? '').split('\n')) {
    leaf = /\|-- (\d{1,3}(?:\.\d{1,3}){3})\s*$/.exec(line)?.[1] ?? leaf;
    if (/\/32 host LOCAL\s*$/.test(line) && !/^(127|169\.254)\./.test(leaf)) found.add(leaf);
  }
  return [...found].filter((address) => address.split('.').every((part) => Number(part) <= 255));
}

function ipv4Number(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

interface Network {
  readonly name: string;
  readonly base: number;
  readonly mask: number;
  readonly prefix: number;
}

/** Networks on the link (no gateway), narrowest first. */
function parseRoutes(routes: string | undefined): Network[] {
  const rows = (routes ?? '').split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const [name = '', destination = '', gateway = '', , , , , mask = ''] = columns;
    const isRow = [destination, gateway, mask].every((word) => /^[0-9A-F]{8}$/i.test(word));
    return isRow && /^0+$/.test(gateway) ? [{ name, destination, mask }] : [];
  });
  // The words are in the machine's own byte order. A mask is ones and then zeros: what is none is the other way round.
  const isLittle = !rows.some(({ mask }) => prefixOf(swap(mask)) === undefined);
  const number = (word: string): number => (isLittle ? swap(word) : Number.parseInt(word, 16));
  return rows
    .flatMap(({ name, destination, mask }) => {
      const prefix = prefixOf(number(mask));
      return prefix === undefined || prefix === 0
        ? []
        : [{ name, base: number(destination), mask: number(mask), prefix }];
    })
    .sort((a, b) => b.prefix - a.prefix);
}

function swap(word: string): number {
  return Number.parseInt((word.match(/../g) ?? []).reverse().join(''), 16);
}

function prefixOf(mask: number): number | undefined {
  const bits = mask.toString(2).padStart(32, '0');
  return /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined;
}

/** 32 hexadecimal digits as RFC 5952 writes them, which is how URLs do. */
function formatIpv6(digits: string): string {
  const groups = digits.match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
