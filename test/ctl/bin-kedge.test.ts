import { execFile } from 'node:child_process';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { distRoot, projectRoot } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary.ts';

const run = promisify(execFile);
/** What was built for this test run: bin/kedge shall neither install nor build now. */
const environment = { ...process.env, KEDGE_DIST: distRoot };

it('bin/kedge runs from any folder and through links', async () => {
  const folder = temporaryFolder('bin');
  symlinkSync(join(projectRoot, 'bin', 'kedge'), join(folder, 'absolute'));
  symlinkSync('absolute', join(folder, 'relative'));
  for (const name of ['absolute', 'relative']) {
    const { stdout } = await run(join(folder, name), ['version'], { cwd: folder, env: environment });
    expect(stdout).toMatch(/^kedge \d+\.\d+\.\d+\netcd API 3\.\d+\.\d+\nNode\.js v/);
  }
});

it('bin/kedge passes on exit codes and words with spaces', async () => {
  const failing = run(join(projectRoot, 'bin', 'kedge'), ['serve', '--nmae', 'a b'], { env: environment });
  await expect(failing).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean --name?') });
});

it.each(['v18.20.4', 'v20.18.1'])('bin/prepare says which Node.js it needs when it meets %s', async (version) => {
  const folder = temporaryFolder('node');
  writeFileSync(join(folder, 'node'), `#!/bin/sh\necho ${version}\n`);
  chmodSync(join(folder, 'node'), 0o755);
  const failing = run(join(projectRoot, 'bin', 'prepare'), [], {
    env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
  });
  await expect(failing).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(new RegExp(`needs Node\\.js 20\\.19 or newer.*this is ${version}`)),
  });
});
