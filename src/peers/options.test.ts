import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../base/options.ts';
import { arePeersOn, checkPeerOptions, PEER_OPTIONS, peerListenOf } from './options.ts';

function options(...flags: string[]) {
  const written = new Map(flags.map((flag) => flag.split('=') as [string, string]));
  const values = resolveOptions(PEER_OPTIONS, written, {});
  checkPeerOptions(values);
  return values;
}

describe('options of peers', () => {
  it('leave peers off by themselves, whatever else a manifest written for etcd says', () => {
    expect(arePeersOn(options())).toBe(false);
    expect(arePeersOn(options('peer-cert-file=/a', 'peer-key-file=/b', 'peer-trusted-ca-file=/c'))).toBe(false);
  });

  it('turn peers on, on loopback unless told where', () => {
    const trust = 'peer-trust=loopback';
    expect(peerListenOf(options('peer-dns=kedge.example', trust))).toEqual({ ip: '127.0.0.1', port: 2380 });
    expect(arePeersOn(options('peer=10.0.0.1', trust))).toBe(true);
    expect(options('peer-listen=[::1]:0', trust).peerListen).toEqual({ ip: '::1', port: 0 });
    const read = options(
      'peer-dns=a.example,b.example:99',
      'peer=10.0.0.1,[fd00::1]:5,c:7',
      'peer-dns-server=10.96.0.10',
      trust,
    );
    expect(read.peerDns).toEqual([
      { host: 'a.example', port: 2380 },
      { host: 'b.example', port: 99 },
    ]);
    expect(read.peer).toEqual([
      { host: '10.0.0.1', port: 2380 },
      { host: 'fd00::1', port: 5 },
      { host: 'c', port: 7 },
    ]);
    expect(read.peerDnsServer).toEqual({ ip: '10.96.0.10', port: 53 });
  });

  it.each([
    [['peer-listen=nowhere'], '--peer-listen: "nowhere" is not an IP address and a port'],
    [['peer-advertise=kedge-0:2380'], '--peer-advertise: "kedge-0:2380" is not an IP address'],
    [['peer-dns=a b'], '--peer-dns: "a b" is not a name or address with a port'],
    [['peer-dns=a:0'], '--peer-dns: "a:0" is not a name'],
    [['peer-dns-server=dns.example'], '--peer-dns-server: "dns.example" is not the IP address of a DNS server'],
    [['peer=x'], '--peer-secret-file: needed with --peer-trust secret'],
    [['peer=x', 'peer-trust=ca'], '--peer-trusted-ca-file: needed with --peer-trust ca'],
    [
      ['peer=x', 'peer-trust=ca', 'peer-trusted-ca-file=a', 'peer-cert-file=b', 'peer-key-file=c'],
      '--peer-cert-allowed-hostname: needed with --peer-trust ca: an authority signs more than members',
    ],
    [['peer=x', 'peer-trust=loopback', 'peer-listen=0.0.0.0:1'], 'must be a loopback address'],
    [['peer=x', 'peer-trust=loopback', 'peer-dead-after=3s'], '--peer-dead-after: at least two heartbeats'],
    [['peer=x', 'peer-trust=loopback', 'peer-max=0'], '--peer-max: "0" is not a whole number from 1'],
  ])('%s: says what is wrong and what would be right', (flags, words) => {
    expect(() => options(...flags)).toThrow(words);
  });
});
