import { expect, it } from 'vitest';
import type { Command } from '../../src/base/command.ts';
import { runCommandLine } from '../../src/ctl/command-line.ts';
import { PEER_OPTIONS, type PeerOptionValues } from '../../src/peers/options.ts';

it('takes --peer-dns, --peer and --peer-advertise as often as they are given, or once with commas', async () => {
  let seen: PeerOptionValues | undefined;
  const serve: Command<typeof PEER_OPTIONS> = {
    name: 'serve',
    summary: 'for this test',
    operands: [],
    options: PEER_OPTIONS,
    run: async ({ options }) => {
      seen = options;
      return 0;
    },
  };
  const output = { out: () => undefined, err: () => undefined, columns: undefined };
  const words = [
    'serve',
    '--peer-dns',
    'a.example:1',
    '--peer-dns=b.example,c.example:3',
    '--peer=10.0.0.1',
    '-peer',
    '10.0.0.2',
  ];
  const more = ['--peer-advertise=10.0.0.3', '--peer-advertise=[fd00::1]:9', '--peer-max=1', '--peer-max=2'];
  const code = await runCommandLine([...words, ...more], {
    commands: [serve as Command],
    version: '',
    environment: {},
    output,
  });
  expect(code).toBe(0);
  expect(seen?.peerDns.map(({ host, port }) => `${host}:${port}`)).toEqual([
    'a.example:1',
    'b.example:2380',
    'c.example:3',
  ]);
  expect(seen?.peer.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(seen?.peerAdvertise).toEqual([
    { ip: '10.0.0.3', port: 2380 },
    { ip: 'fd00::1', port: 9 },
  ]);
  // Others as everywhere: the last one counts.
  expect(seen?.peerMax).toBe(2);
});
