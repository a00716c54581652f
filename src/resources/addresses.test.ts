import { expect, it } from 'vitest';
import { interfaceAddresses } from './addresses.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';

function trie(...addresses: readonly string[]): string {
  return `Local:\n  +-- 0.0.0.0/0 3 0 5\n${addresses.map((address) => `        |-- ${address}\n           /32 host LOCAL\n`).join('')}`;
}

function route(name: string, destination: string, gateway: string, mask: string): string {
  return `${name}\t${destination}\t${gateway}\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;
}

it('finds the interface of an address by the narrowest network around it', () => {
  const routes =
    HEAD +
    route('eth0', '00000000', '010200C0', '00000000') +
    route('eth0', '000200C0', '00000000', '00FFFFFF') +
    route('vlan7', '100200C0', '00000000', 'F0FFFFFF');
  const found = interfaceAddresses(trie('127.0.0.1', '192.0.2.2', '192.0.2.18', '203.0.113.1'), routes, undefined);
  expect(Object.fromEntries(found)).toEqual({ eth0: ['192.0.2.2/24'], vlan7: ['192.0.2.18/28'] });
});

it('reads the same on a big-endian machine', () => {
  const routes = HEAD + route('enc1000', 'C0000200', '00000000', 'FFFFFF00');
  expect(interfaceAddresses(trie('192.0.2.33'), routes, undefined).get('enc1000')).toEqual(['192.0.2.33/24']);
});

it('lists IPv6 addresses, link-local ones left out', () => {
  const ifInet6 = [
    '20010db8000000010000000000000017 05 40 00 80    bond0',
    'fe800000000000003eeceffffe010203 05 40 20 80    bond0',
    '00000000000000000000000000000001 01 80 10 80       lo',
    'nonsense',
  ].join('\n');
  const found = interfaceAddresses(undefined, undefined, ifInet6);
  expect(Object.fromEntries(found)).toEqual({ bond0: ['2001:db8:0:1::17/64'] });
});

it('lists no more of one card than it may', () => {
  const many = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);
  const routes = HEAD + route('kube-ipvs0', '000200C0', '00000000', '00FFFFFF');
  expect(interfaceAddresses(trie(...many), routes, undefined).get('kube-ipvs0')).toHaveLength(32);
});
