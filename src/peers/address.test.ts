import { describe, expect, it } from 'vitest';
import { addressBytes, formatAddress, ipBytes, isLoopbackIp, parseAddress, parseHostPort, shortIp } from './address.ts';

describe('addresses', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1:7'],
    ['10.0.0.1:2380', '10.0.0.1:2380'],
    ['::1', '[::1]:7'],
    ['[::1]:2380', '[::1]:2380'],
    ['[FD00:0:0::0001]:2380', '[fd00::1]:2380'],
    ['[::ffff:10.0.0.1]:2380', '10.0.0.1:2380'],
    ['[::ffff:a00:1]:2380', '10.0.0.1:2380'],
  ])('%s is %s, however it is written', (written, short) => {
    const address = parseAddress(written, 7);
    expect(address === undefined ? undefined : formatAddress(address)).toBe(short);
  });

  it.each([
    '',
    ':1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    '10.0.0',
    '10.0.0.256',
    '[10.0.0.1]x',
    '[fe80::1%eth0]:1',
    'a:b:c',
    '10.0.0.1:1:1',
  ])('"%s" is none', (written) => {
    expect(parseAddress(written, 7)).toBeUndefined();
  });

  it('a host may be a name, for those that are looked up', () => {
    expect(parseHostPort('kedge.kube-system.svc.cluster.local:2380', 1)).toEqual({
      host: 'kedge.kube-system.svc.cluster.local',
      port: 2380,
    });
    expect(parseHostPort('kedge.example.', 5)).toEqual({ host: 'kedge.example.', port: 5 });
    for (const wrong of ['a b', 'a/b', '-a', 'a;b', 'http://a']) expect(parseHostPort(wrong, 1)).toBeUndefined();
  });

  it('sort by number', () => {
    const sorted = ['10.0.0.10:1', '10.0.0.9:2', '10.0.0.9:1', '[::1]:1', '9.0.0.0:1', '[fd00::2]:1']
      .map((written) => parseAddress(written))
      .filter((address) => address !== undefined)
      .sort((a, b) => addressBytes(a).compare(addressBytes(b)));
    expect(sorted.map(formatAddress)).toEqual([
      '[::1]:1',
      '9.0.0.0:1',
      '10.0.0.9:1',
      '10.0.0.9:2',
      '10.0.0.10:1',
      '[fd00::2]:1',
    ]);
  });

  it('have 16 bytes, IPv4 mapped', () => {
    expect(ipBytes('1.2.3.4')?.toString('hex')).toBe('00000000000000000000ffff01020304');
    expect(ipBytes('1:2::3')?.toString('hex')).toBe('00010002000000000000000000000003');
    expect(ipBytes('::')?.toString('hex')).toBe('0'.repeat(32));
    expect(ipBytes('nothing')).toBeUndefined();
    expect(shortIp('0:0:0:0:0:0:0:1')).toBe('::1');
  });

  it('know loopback', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].map(isLoopbackIp)).toEqual([true, true, true, true]);
    expect(['10.0.0.1', '::', '0.0.0.0', '', 'localhost'].map(isLoopbackIp)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
