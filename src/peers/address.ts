import { isIPv4, isIPv6 } from 'node:net';

/** Where somebody can be dialled: an IP address in its shortest form, and a port. */
export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** A host that is not looked up yet. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `10.0.0.1:2380`, `[fd00::1]:2380`: also the address's name in maps and reports. */
export function formatAddress({ ip, port }: Address): string {
  return `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
}

/** `host`, `host:port`, `ip`, `[ip6]:port`; undefined when it is none. */
export function parseHostPort(written: string, defaultPort: number): HostPort | undefined {
  if (isIPv6(written)) return { host: shortIp(written) ?? written, port: defaultPort };
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/.exec(written);
  if (match === null) return undefined;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  if (port > 65_535) return undefined;
  if (match[1] !== undefined) {
    const ip = shortIp(match[1]);
    return ip === undefined ? undefined : { host: ip, port };
  }
  const host = match[2] ?? '';
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) return undefined;
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(host) ? { host, port } : undefined;
}

/** As parseHostPort, for IP addresses only. */
export function parseAddress(written: string, defaultPort = 0): Address | undefined {
  const parsed = parseHostPort(written, defaultPort);
  const ip = parsed === undefined ? undefined : shortIp(parsed.host);
  return parsed === undefined || ip === undefined || parsed.port === 0 ? undefined : { ip, port: parsed.port };
}

/** The one short form of an IP address: what is written in many ways is dialled once. Mapped IPv4 becomes IPv4. */
export function shortIp(written: string): string | undefined {
  const bytes = ipBytes(written);
  if (bytes === undefined) return undefined;
  if (isMapped(bytes)) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** 16 bytes, IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2): one form to compare and to sort by. */
export function ipBytes(written: string): Buffer | undefined {
  const bytes = Buffer.alloc(16);
  if (isIPv4(written)) {
    bytes.writeUInt16BE(0xffff, 10);
    bytes.set(written.split('.').map(Number), 12);
    return bytes;
  }
  // A zone (fe80::1%eth0) means nothing on another machine.
  if (!isIPv6(written) || written.includes('%')) return undefined;
  const [before = '', after] = new URL(`http://[${written}]`).hostname.slice(1, -1).split('::');
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  for (const [i, group] of groupsOf(before).entries()) bytes.writeUInt16BE(group, 2 * i);
  const last = groupsOf(after ?? '');
  for (const [i, group] of last.entries()) bytes.writeUInt16BE(group, 16 - 2 * (last.length - i));
  return bytes;
}

/** What addresses are sorted by: the 16 bytes, then the port. */
export function addressBytes({ ip, port }: Address): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.set(ipBytes(ip) ?? []);
  bytes.writeUInt16BE(port, 16);
  return bytes;
}

export function isLoopbackIp(ip: string): boolean {
  const short = shortIp(ip);
  return short !== undefined && (short === '::1' || short.startsWith('127.'));
}

/** Every address of the machine: nothing that another one can dial. */
export function isWildcardIp(ip: string): boolean {
  return ip === '0.0.0.0' || ip === '::';
}

function isMapped(bytes: Buffer): boolean {
  return bytes.readUInt16BE(10) === 0xffff && bytes.subarray(0, 10).every((byte) => byte === 0);
}
