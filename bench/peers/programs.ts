import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { PeerProgram } from './peer.ts';

/** Beyond what the longest section writes: revisions are not compacted meanwhile. */
const quotaBytes = 64 * 2 ** 30;

/** etcd as it comes, its data on disk before it answers (its default). */
export function etcdProgram(file: string): PeerProgram {
  return {
    name: 'etcd',
    command: (dataFolder, port, spare) => {
      const client = `http://127.0.0.1:${port}`;
      const peer = `http://127.0.0.1:${spare}`;
      return [
        file,
        ...['--data-dir', dataFolder, '--log-level', 'error', '--quota-backend-bytes', String(quotaBytes)],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
      ];
    },
  };
}

/** kedge with its embedded defaults; `command` is split at spaces. */
export function kedgeProgram(command: string): PeerProgram {
  return {
    name: 'kedge',
    command: (dataFolder, port) => {
      const client = `http://127.0.0.1:${port}`;
      return [
        ...command.split(/\s+/),
        ...['serve', '--data-dir', dataFolder, '--quota-backend-bytes', String(quotaBytes)],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ];
    },
  };
}

/** kedge as a replica on a database, with more flags. */
export function onStore(kedge: PeerProgram, url: string, name: string, flags: readonly string[] = []): PeerProgram {
  return {
    name: kedge.name,
    command: (dataFolder, port, spare) => [
      ...kedge.command(dataFolder, port, spare),
      ...['--store', url, '--name', name, ...flags],
    ],
  };
}

/** kine (k3s-io/kine, by its flags of 0.9 and later) on a database; `endpoint` as its --endpoint takes it. */
export function kineProgram(file: string, endpoint: string): PeerProgram {
  return {
    name: 'kine',
    command: (_dataFolder, port) => [
      file,
      ...['--listen-address', `127.0.0.1:${port}`, '--endpoint', endpoint, '--metrics-bind-address', '0'],
    ],
  };
}

/** Looks for a program in PATH. */
export function findInPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}
