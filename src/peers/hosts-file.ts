import { readFile, stat } from 'node:fs/promises';
import { shortIp } from './address.ts';
import { PEER_LIMITS } from './limits.ts';

/** hosts(5): what this machine calls others, DNS or not. */
export const HOSTS_FILE = '/etc/hosts';

/**
 * The addresses that the file has for a name, in short form; none when it does not have it, or cannot be read. Read anew
 * each time: it is how people without DNS add a member.
 */
export async function addressesInHosts(name: string, file = HOSTS_FILE): Promise<readonly string[]> {
  try {
    if ((await stat(file)).size > PEER_LIMITS.hostsFileBytesMax) return [];
    return parseHosts(await readFile(file, 'utf8'), name);
  } catch {
    // No file, or not ours to read: as if it were empty, as for libc.
    return [];
  }
}

/** `10.0.0.2 node-2 node-2.example  # comment`; names in any case. */
export function parseHosts(text: string, name: string): readonly string[] {
  const wanted = name.toLowerCase();
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (!names.some((known) => known.toLowerCase() === wanted)) continue;
    const ip = shortIp(address);
    if (ip !== undefined && found.size < PEER_LIMITS.listedMax) found.add(ip);
  }
  return [...found];
}
