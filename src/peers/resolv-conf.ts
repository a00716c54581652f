import { readFile } from 'node:fs/promises';
import { type Address, shortIp } from './address.ts';
import { PEER_LIMITS } from './limits.ts';

/** Where to ask names, and what to try after a name that is not found as it stands. */
export interface DnsConfig {
  readonly servers: readonly Address[];
  readonly search: readonly string[];
}

export const DNS_PORT = 53;
const SEARCH_MAX = 6;

/** Reads /etc/resolv.conf anew each time: it changes when a network comes up. A missing one means 127.0.0.1, as for libc. */
export async function readResolvConf(file = '/etc/resolv.conf'): Promise<DnsConfig> {
  try {
    return parseResolvConf(await readFile(file, 'utf8'));
  } catch {
    // No file, or not ours to read: libc then asks this machine.
    return { servers: [{ ip: '127.0.0.1', port: DNS_PORT }], search: [] };
  }
}

/** resolv.conf(5). */
export function parseResolvConf(text: string): DnsConfig {
  const servers: Address[] = [];
  let search: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver') {
      const ip = shortIp(values[0] ?? '');
      if (ip !== undefined && servers.length < PEER_LIMITS.dnsServersMax) servers.push({ ip, port: DNS_PORT });
    } else if (keyword === 'search' || keyword === 'domain') {
      search = values.slice(0, SEARCH_MAX).map((domain) => domain.replace(/\.$/, ''));
    }
  }
  return { servers: servers.length > 0 ? servers : [{ ip: '127.0.0.1', port: DNS_PORT }], search };
}
