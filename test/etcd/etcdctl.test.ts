import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import { etcdctlProgram, mustHave } from '../support/etcd.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ApiServer } from './api-server.ts';

const run = promisify(execFile);

/** Maintenance and membership, as their user sees them. Everyday commands: test/clients. */
describe.each(['3.5', '3.4'] as const)('etcdctl %s', (version) => {
  describe.skipIf(!mustHave(version))('against the API', () => {
    let server: ApiServer;
    beforeAll(async () => {
      // etcdctl takes a snapshot only if its length is a multiple of 512 and a digest: as a file of pages has.
      const log = logFor(`sqlite://${join(temporaryFolder('store'), 'kedge.db')}`);
      server = await new ApiServer({}, log).start();
    });
    afterAll(() => server.stop());

    const etcdctl = async (...args: string[]): Promise<string> => {
      const program = etcdctlProgram(version) ?? '';
      const env = { PATH: process.env['PATH'], ETCDCTL_API: '3' };
      try {
        const { stdout } = await run(program, [`--endpoints=${server.endpoint}`, ...args], { env, timeout: 30_000 });
        return stdout.trimEnd();
      } catch (error) {
        const { stderr } = error as { readonly stderr: string };
        return stderr.trimEnd().split('\n').at(-1) ?? '';
      }
    };

    test('alarm', async () => {
      expect(await etcdctl('alarm', 'list')).toBe('');
      await server.store.raiseAlarm('nospace');
      const line = `memberID:${server.store.memberId} alarm:NOSPACE`;
      expect(await etcdctl('alarm', 'list')).toBe(line);
      expect(await etcdctl('put', 'a', '1')).toBe('Error: etcdserver: mvcc: database space exceeded');
      expect(await etcdctl('alarm', 'disarm')).toBe(line);
      expect(await etcdctl('put', 'a', '1')).toBe('OK');
    });

    test('member and move-leader', async () => {
      const id = server.store.memberId.toString(16);
      expect(await etcdctl('member', 'list')).toBe(
        `${id}, started, default, http://localhost:2380, http://localhost:2379, false`,
      );
      expect(await etcdctl('member', 'remove', id)).toBe(
        'Error: etcdserver: re-configuration failed due to not enough started members',
      );
      expect(await etcdctl('member', 'add', 'second', '--peer-urls=http://127.0.0.1:1')).toBe(
        'Error: etcdserver: re-configuration failed due to not enough started members',
      );
      expect(await etcdctl('move-leader', '1234')).toContain('etcdserver: bad leader transferee');
    });

    test('snapshot save checks and keeps the digest', async () => {
      const file = join(temporaryFolder('snapshot'), 'saved.db');
      await etcdctl('snapshot', 'save', file);
      const { bytes } = await server.store.snapshot();
      expect(statSync(file).size).toBe(bytes + 32);
    });

    test('auth is not there yet', async () => {
      expect(await etcdctl('user', 'list')).toContain('unknown service etcdserverpb.Auth');
    });
  });
});
