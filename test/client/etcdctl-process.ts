import { execFile } from 'node:child_process';
import { type EtcdVersion, etcdctlProgram } from '../support/etcd.ts';
import type { Ran } from './in-process.ts';

/** Runs the real etcdctl to its end; what it says comes with one character a byte. */
export function runEtcdctl(
  version: EtcdVersion,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  input = '',
): Promise<Ran> {
  const program = etcdctlProgram(version);
  if (program === undefined) throw new Error(`no etcdctl ${version}`);
  const env = { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3', ...environment };
  return new Promise((resolve) => {
    const options = { env, timeout: 30_000, encoding: 'latin1' } as const;
    const child = execFile(program, [...words], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
    // Most commands end without reading what there is to read.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
