import { choice, duration, integer, list, type OptionKind, type OptionValues, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { type Address, formatAddress, type HostPort, isLoopbackIp, parseAddress, parseHostPort } from './address.ts';
import { PEER_LIMITS } from './limits.ts';

const GROUP = 'Peers';

/** `10.0.0.1:2380`; without a port, 2380. */
const address: OptionKind<Address> = {
  placeholder: 'ip:port',
  parse(written) {
    const found = parseAddress(written, PEER_LIMITS.port);
    if (found === undefined) throw new UsageError('an IP address and a port, such as 10.0.0.1:2380 or [::]:2380');
    return found;
  },
  format: formatAddress,
};

/** As `address`, and port 0: any free one. */
const listenAddress: OptionKind<Address | undefined> = {
  placeholder: 'ip:port',
  parse(written) {
    const host = parseHostPort(written, PEER_LIMITS.port);
    if (host?.port === 0) return { ip: address.parse(`${bracketed(host.host)}:1`).ip, port: 0 };
    return address.parse(written);
  },
  format: (value) => (value === undefined ? '' : formatAddress(value)),
};

const hostPort: OptionKind<HostPort> = {
  placeholder: 'host:port',
  parse(written) {
    const found = parseHostPort(written, PEER_LIMITS.port);
    if (found === undefined || found.port === 0)
      throw new UsageError('a name or address with a port, such as kedge.example:2380');
    return found;
  },
  format: ({ host, port }) => `${bracketed(host)}:${port}`,
};

/** As `address`, port 53 without one. */
const dnsServer: OptionKind<Address | undefined> = {
  placeholder: 'ip:port',
  parse(written) {
    const found = parseAddress(written, 53);
    if (found === undefined)
      throw new UsageError('the IP address of a DNS server, such as 10.96.0.10 or 10.96.0.10:53');
    return found;
  },
  format: (value) => (value === undefined ? '' : formatAddress(value)),
};

/** What concerns other members of the cluster. One of --peer-listen, --peer-dns and --peer turns peers on. */
export const PEER_OPTIONS = {
  peerListen: option(listenAddress, {
    flag: 'peer-listen',
    default: undefined,
    defaultText: 'off; 127.0.0.1:2380 with --peer',
    group: GROUP,
    help: 'where other members connect; turns peers on',
  }),
  peerAdvertise: option(
    { ...list(address), repeats: true },
    {
      flag: 'peer-advertise',
      default: [],
      defaultText: 'as --peer-listen',
      group: GROUP,
      help: 'where other members are told to connect; for --peer-listen 0.0.0.0 the address that they see',
    },
  ),
  peerDns: option(
    { ...list(hostPort), repeats: true },
    {
      flag: 'peer-dns',
      default: [],
      defaultText: 'none',
      group: GROUP,
      help: "names whose A and AAAA records are the members, such as a headless Service's; turns peers on",
    },
  ),
  peerDnsServer: option(dnsServer, {
    flag: 'peer-dns-server',
    default: undefined,
    defaultText: 'as /etc/resolv.conf',
    group: GROUP,
    help: "the DNS server to ask, for hosts whose own does not know the cluster's names",
  }),
  peer: option(
    { ...list(hostPort), repeats: true },
    {
      flag: 'peer',
      default: [],
      defaultText: 'none',
      group: GROUP,
      help: 'members by address or name; its own may be among them; turns peers on',
    },
  ),
  peerTrust: option(choice('secret', 'ca', 'store', 'loopback'), {
    flag: 'peer-trust',
    default: 'secret',
    group: GROUP,
    help: 'whom to believe: who knows the secret, has a certificate, is in the store, or (for trying out) runs on this machine',
  }),
  peerSecretFile: option(text('path'), {
    flag: 'peer-secret-file',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'trust secret: the file with it; of several lines the first is shown, each is accepted',
  }),
  peerTrustedCaFile: option(text('path'), {
    flag: 'peer-trusted-ca-file',
    aliases: ['peer-ca-file'],
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: "trust ca: the authority's certificate",
  }),
  peerCertFile: option(text('path'), {
    flag: 'peer-cert-file',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: "trust ca: this member's certificate, for client and server use",
  }),
  peerKeyFile: option(text('path'), {
    flag: 'peer-key-file',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'trust ca: its key',
  }),
  peerCertAllowedHostname: option(text('name'), {
    flag: 'peer-cert-allowed-hostname',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: "trust ca: the DNS name that a member's certificate must carry",
  }),
  peerCluster: option(text('name'), {
    flag: 'peer-cluster',
    default: '',
    defaultText: "the store's cluster id",
    group: GROUP,
    help: 'who belongs together, when members have stores of their own',
  }),
  peerMax: option(integer(1, PEER_LIMITS.linksMaxMax), {
    flag: 'peer-max',
    default: PEER_LIMITS.linksMax,
    group: GROUP,
    help: 'members to stay linked to; of more each takes its own choice',
  }),
  peerHeartbeat: option(duration(PEER_LIMITS.heartbeatMinMs), {
    flag: 'peer-heartbeat',
    default: PEER_LIMITS.heartbeatMs,
    group: GROUP,
    help: 'how often members show that they live',
  }),
  peerDeadAfter: option(duration(2 * PEER_LIMITS.heartbeatMinMs), {
    flag: 'peer-dead-after',
    default: PEER_LIMITS.deadAfterMs,
    group: GROUP,
    help: 'a member silent this long is given up; its duties move',
  }),
} as const;

export type PeerOptionValues = OptionValues<typeof PEER_OPTIONS>;

/** Whether this member wants others at all. */
export function arePeersOn(options: PeerOptionValues): boolean {
  return options.peerListen !== undefined || options.peerDns.length > 0 || options.peer.length > 0;
}

/** Where to listen, once peers are on. */
export function peerListenOf(options: PeerOptionValues): Address {
  return options.peerListen ?? { ip: '127.0.0.1', port: PEER_LIMITS.port };
}

/** What no single option can see. Throws UsageError. */
export function checkPeerOptions(options: PeerOptionValues): void {
  if (!arePeersOn(options)) return;
  if (options.peerDeadAfter < 2 * options.peerHeartbeat) {
    throw new UsageError('--peer-dead-after: at least two heartbeats (--peer-heartbeat) must fit into it');
  }
  const needs = (flag: string, value: string): void => {
    if (value === '')
      throw new UsageError(`--${flag}: needed with --peer-trust ${options.peerTrust}${REMEDY[flag] ?? ''}`);
  };
  switch (options.peerTrust) {
    case 'secret':
      needs('peer-secret-file', options.peerSecretFile);
      return;
    case 'ca':
      needs('peer-trusted-ca-file', options.peerTrustedCaFile);
      needs('peer-cert-file', options.peerCertFile);
      needs('peer-key-file', options.peerKeyFile);
      needs('peer-cert-allowed-hostname', options.peerCertAllowedHostname);
      return;
    case 'loopback':
      if (!isLoopbackIp(peerListenOf(options).ip)) {
        throw new UsageError('--peer-trust loopback: --peer-listen must be a loopback address then');
      }
      return;
    case 'store':
  }
}

const REMEDY: Readonly<Record<string, string>> = {
  'peer-secret-file': ', which is the default: "openssl rand -base64 32" makes a secret, every member gets the same',
  'peer-cert-allowed-hostname': ': an authority signs more than members; which name do theirs carry?',
};

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
