import type { Clock } from '../base/clock.ts';
import { type Address, formatAddress, parseAddress, shortIp } from './address.ts';
import { askDns, DnsFailure, type DnsReply } from './dns-client.ts';
import { addressesInHosts, HOSTS_FILE } from './hosts-file.ts';
import { PEER_LIMITS } from './limits.ts';
import { type DnsConfig, readResolvConf } from './resolv-conf.ts';
import type { MemberId } from './types.ts';

/** What DNS said of a name, or that it said nothing. */
export interface DnsView {
  /** `ip`, short form; empty when there are none now. */
  readonly ips: readonly string[];
  readonly ttlSeconds: number;
  /** `ip:port` → the one key that may answer there. Undefined: that question was not answered. */
  readonly keys: ReadonlyMap<string, MemberId> | undefined;
}

/**
 * Looks a name up: A, AAAA and TXT in parallel. One family without an answer is no failure as long as the other one has
 * addresses. Rejects with DnsFailure when neither has and something went wrong, or when the name does not exist.
 *
 * /etc/hosts comes first, and DNS is not asked for what stands there: as libc has it, and what machines without DNS have.
 *
 * A name is asked as it stands; only when it does not exist, with what resolv.conf says to search. (The other order is
 * libc's for names of few dots, and would ask five times for a Service's full name.)
 */
export async function lookUp(
  name: string,
  server: Address | undefined,
  clock: Clock,
  hostsFile = HOSTS_FILE,
): Promise<DnsView> {
  const bare = name.replace(/\.$/, '');
  const ips = await addressesInHosts(bare, hostsFile);
  if (ips.length > 0) return { ips, ttlSeconds: PEER_LIMITS.hostsPollMs / 1000, keys: undefined };
  const config: DnsConfig = server === undefined ? await readResolvConf() : { servers: [server], search: [] };
  const names = name.endsWith('.') ? [bare] : [bare, ...config.search.map((domain) => `${bare}.${domain}`)];
  let failure = new DnsFailure(`${bare} does not exist`);
  for (const asked of names) {
    const view = await lookUpExactly(asked, config.servers, clock);
    if (view !== undefined) return view;
    failure = new DnsFailure(`${bare} does not exist`);
  }
  throw failure;
}

/** Undefined: the name does not exist. */
async function lookUpExactly(name: string, servers: readonly Address[], clock: Clock): Promise<DnsView | undefined> {
  const [v4, v6, txt] = await Promise.allSettled([
    askDns(name, 'A', servers, clock),
    askDns(name, 'AAAA', servers, clock),
    askDns(name, 'TXT', servers, clock),
  ]);
  const replies = [v4, v6].filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  const ips = replies.flatMap(({ records }) => records);
  const failed = [v4, v6].find((result) => result.status === 'rejected');
  if (ips.length === 0 && failed !== undefined) throw failed.reason;
  if (replies.every(({ kind }) => kind === 'absent')) return undefined;
  const ttls = replies.filter(({ kind }) => kind === 'records').map(({ ttlSeconds }) => ttlSeconds);
  return {
    ips: [...new Set(ips)],
    ttlSeconds: ttls.length === 0 ? 0 : Math.min(...ttls),
    keys: txt.status === 'fulfilled' ? keysOf(txt.value) : undefined,
  };
}

/** Reads `v=1;a=10.0.0.5:2380;k=<64 hex digits>`; what is not of that form is somebody else's record. */
export function keysOf({ records }: DnsReply): ReadonlyMap<string, MemberId> {
  const keys = new Map<string, MemberId>();
  for (const record of records) {
    const fields = new Map(record.split(';').map((field) => split(field.trim())));
    const address = parseAddress(fields.get('a') ?? '');
    const key = fields.get('k')?.toLowerCase() ?? '';
    if (fields.get('v') !== '1' || address === undefined || !/^[0-9a-f]{64}$/.test(key)) continue;
    keys.set(formatAddress({ ip: shortIp(address.ip) ?? address.ip, port: address.port }), key);
  }
  return keys;
}

function split(field: string): [string, string] {
  const at = field.indexOf('=');
  return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
}
