import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { projectRoot } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';

/** Debian's python3-etcd3, a client of its own over Google's gRPC: what it does and sees is the same on kedge and on etcd. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = join(projectRoot, 'test', 'clients', 'python-etcd3.py');
const isThere = spawnSync(PYTHON, ['-c', 'import etcd3']).status === 0;
if (!isThere && process.env['CI'] !== undefined) throw new Error('no python3-etcd3: bin/test installs it');

function story({ host, port }: ServerProcess): unknown {
  return JSON.parse(execFileSync(PYTHON, [SCRIPT, host, String(port)], { timeout: 60_000 }).toString());
}

describe.skipIf(!isThere || !mustHave('3.5'))('python3-etcd3', () => {
  test('puts, gets, compares, leases, watches and locks as on etcd', { timeout: 120_000 }, async () => {
    const [kedge, etcd] = await Promise.all([startKedge(), startEtcd('3.5')]);
    try {
      const told = story(kedge);
      expect(told).toEqual(story(etcd));
      expect(told).toContainEqual(['lock', true]);
    } finally {
      await Promise.all([kedge.kill(), etcd.kill()]);
    }
  });
});
