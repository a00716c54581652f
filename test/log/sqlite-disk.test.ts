import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { Appender } from './child.ts';

/** Whether this process may mount: a real full or read-only disk needs that. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=1m kedge-test /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Whether this process may make another one's system calls fail. */
function mayTrace(): boolean {
  const sleeper = spawn('sleep', ['10'], { stdio: 'ignore' });
  const { error } = spawnSync('strace', ['-qq', '-o', '/dev/null', '-p', String(sleeper.pid)], { timeout: 500 });
  sleeper.kill('SIGKILL');
  // It was still tracing when its time was over: it could.
  return error !== undefined && 'code' in error && error.code === 'ETIMEDOUT';
}

describe('a disk that refuses', { timeout: 180_000 }, () => {
  let folder = '';
  let appender: Appender | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-disk-'));
  });
  afterEach(async () => {
    await appender?.kill();
    await rm(folder, { recursive: true });
  });

  it('a limit on file size: appends are unavailable, reads go on, and it recovers without restart', async () => {
    const url = `sqlite://${folder}/kedge.db?wal_mib=1`;
    // 512-byte blocks: 3 MiB.
    appender = new Appender(url, 2, 'ulimit -S -f 6144;');
    const failed = await appender.until((told) => told.failed !== undefined);
    expect(failed).toMatchObject({ failed: 'unavailable', readable: true });
    expect(failed.message).toContain(`${folder}/kedge.db`);
    const before = lastCommitted(appender);
    execFileSync('prlimit', ['--pid', String(appender.process.pid), '--fsize=unlimited:unlimited']);
    const told = appender.told.length;
    await appender.until(({ committed }) => (committed ?? 0) > before + 100, told);
    await appender.kill();
    await expectWhole(url, lastCommitted(appender));
  });

  it.skipIf(!mayMount())(
    'a full disk: appends are unavailable, reads go on, and it recovers without restart (needs the right to mount)',
    async () => {
      const url = `sqlite://${folder}/disk/kedge.db?wal_mib=1`;
      const mount = `mkdir ${folder}/disk && mount -t tmpfs -o size=6m kedge-test ${folder}/disk &&`;
      appender = new Appender(url, 2, `${mount}`, 'unshare -m');
      const failed = await appender.until((told) => told.failed !== undefined);
      expect(failed).toMatchObject({ failed: 'unavailable', readable: true });
      expect(failed.message).toContain('disk is full');
      const before = lastCommitted(appender);
      inside(appender, `mount -o remount,size=60m ${folder}/disk`);
      const told = appender.told.length;
      await appender.until(({ committed }) => (committed ?? 0) > before + 100, told);
    },
  );

  it.skipIf(!mayTrace())(
    'a disk that fails to sync: nothing is acknowledged, and it recovers without restart (needs strace)',
    async () => {
      const url = `sqlite://${folder}/kedge.db?wal_mib=1`;
      appender = new Appender(url, 2);
      await appender.until((told) => told.committed !== undefined);
      const tracer = failSyncs(appender);
      const failed = await appender.until((told) => told.failed !== undefined);
      expect(failed).toMatchObject({ readable: true });
      expect(['unavailable', 'ambiguous']).toContain(failed.failed);
      expect(failed.message).toContain(`${folder}/kedge.db`);
      const before = lastCommitted(appender);
      tracer.kill();
      await once(tracer, 'exit');
      const told = appender.told.length;
      await appender.until(({ committed }) => (committed ?? 0) > before + 100, told);
      await appender.kill();
      await expectWhole(url, lastCommitted(appender));
    },
  );

  it.skipIf(!mayMount())('a read-only disk at start: the message says so (needs the right to mount)', async () => {
    const url = `sqlite://${folder}/kedge.db`;
    appender = new Appender(url, 1);
    await appender.until((told) => told.committed !== undefined);
    await appender.kill();
    appender = new Appender(
      url,
      1,
      `mount --bind ${folder} ${folder} && mount -o remount,bind,ro ${folder} &&`,
      'unshare -m',
    );
    const { refused } = await appender.until((told) => told.refused !== undefined);
    expect(refused).toContain('read-only');
    expect(refused).toContain(`${folder}/kedge.db`);
  });
});

/** From some milliseconds later on, every sync of the appender fails as a broken disk's does. */
function failSyncs(appender: Appender): ChildProcess {
  const calls = 'fsync,fdatasync';
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`];
  const args = ['-qq', '-f', ...inject, '-o', '/dev/null', '-p', String(appender.process.pid)];
  return spawn('strace', args, { stdio: 'ignore' });
}

/** Runs a command in the appender's mount namespace. */
function inside(appender: Appender, command: string): void {
  execFileSync('nsenter', ['-t', String(appender.process.pid), '-m', 'sh', '-c', command]);
}

function lastCommitted(appender: Appender): number {
  return Math.max(...appender.told.map((told) => told.committed ?? 0));
}

async function expectWhole(url: string, acknowledged: number): Promise<void> {
  const log = logFor(`${url}&check=full`);
  expect((await log.open()).cursor.revision).toBeGreaterThanOrEqual(acknowledged);
  await log.close();
}
