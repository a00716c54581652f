import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { etcdctlProgram, mustHave } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';

const run = promisify(execFile);

/** etcd's recipes as its client plays them: on KV, leases and watches alone. */
describe.each(['3.5', '3.4'] as const)('etcdctl %s', (version) => {
  describe.skipIf(!mustHave(version))('against kedge', () => {
    let kedge: ServerProcess;
    const program = etcdctlProgram(version) ?? '';
    const env = { PATH: process.env['PATH'], ETCDCTL_API: '3' };
    const started: ChildProcessWithoutNullStreams[] = [];

    beforeAll(async () => {
      kedge = await startKedge();
    }, 60_000);
    afterAll(async () => {
      for (const child of started) child.kill('SIGKILL');
      await kedge.kill();
    });

    /** Starts a command and collects what it prints, line by line. */
    const begin = (...args: string[]): { child: ChildProcessWithoutNullStreams; line(): Promise<string> } => {
      const child = spawn(program, [`--endpoints=${kedge.endpoint}`, ...args], { env });
      started.push(child);
      const lines = child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false });
      let rest = '';
      return {
        child,
        async line() {
          while (!rest.includes('\n')) {
            const { value, done } = await lines.next();
            if (done === true) throw new Error(`ended after "${rest}"`);
            rest += value as string;
          }
          const line = rest.slice(0, rest.indexOf('\n'));
          rest = rest.slice(line.length + 1);
          return line;
        },
      };
    };

    const etcdctl = async (...args: string[]): Promise<string> =>
      (await run(program, [`--endpoints=${kedge.endpoint}`, ...args], { env })).stdout.trimEnd();

    test('lock: one after the other; the exit code is that of the command', async () => {
      const holder = begin('lock', 'door');
      const held = await holder.line();
      expect(held).toMatch(/^door\/[0-9a-f]+$/);
      const second = run(program, [`--endpoints=${kedge.endpoint}`, 'lock', 'door', 'echo', 'mine'], { env });
      while ((await etcdctl('get', '--prefix', '--keys-only', 'door/')).split('\n').filter((key) => key).length < 2);
      holder.child.kill('SIGINT');
      await once(holder.child, 'exit');
      expect((await second).stdout).toBe('mine\n');
      await expect(run(program, [`--endpoints=${kedge.endpoint}`, 'lock', 'door', 'false'], { env })).rejects.toThrow();
      expect(await etcdctl('get', '--prefix', 'door/')).toBe('');
    }, 60_000);

    test('elect: a candidate waits, leads when the leader is gone, and is observed', async () => {
      const observer = begin('elect', '-l', 'office');
      const first = begin('elect', 'office', 'one');
      const leaderKey = await first.line();
      expect(await first.line()).toBe('one');
      expect(await observer.line()).toBe(leaderKey);
      expect(await observer.line()).toBe('one');
      const second = begin('elect', 'office', 'two');
      while ((await etcdctl('get', '--prefix', '--keys-only', 'office/')).split('\n').filter((key) => key).length < 2);
      first.child.kill('SIGINT');
      expect(await second.line()).toMatch(/^office\//);
      expect(await second.line()).toBe('two');
      await observer.line();
      expect(await observer.line()).toBe('two');
    }, 60_000);
  });
});
