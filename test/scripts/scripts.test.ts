import { afterEach, describe, expect, test } from 'vitest';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { Interpreter } from './interpreter.ts';
import { allScripts, type Script } from './script-file.ts';

/**
 * The golden scripts against everything that must answer alike. Their outputs are etcd 3.5's own words (rewrite.ts), so
 * a kedge that differs is wrong, and an etcd that differs means that a script holds what is not the same twice.
 */
const scripts = allScripts();
let server: ServerProcess | undefined;

afterEach(async () => {
  await server?.kill();
  server = undefined;
});

async function replay(script: Script, on: ServerProcess): Promise<void> {
  server = on;
  const interpreter = new Interpreter(on.endpoint);
  try {
    for (const block of script.blocks) {
      const commands = block.commands.flatMap((command) => [command.line, ...command.below]).join('\n');
      const output = (await interpreter.run(block)).join('\n');
      expect(`${commands}\n---\n${output}`, `${script.path}:${block.line}`).toBe(
        `${commands}\n---\n${block.output.join('\n')}`,
      );
    }
  } finally {
    interpreter.close();
  }
}

describe('kedge', () => {
  test.each(scripts)('$name', async (script) => {
    await replay(script, await startKedge({ args: script.args }));
  });
});

describe.runIf(mustHave('3.5'))('etcd 3.5', () => {
  test.each(scripts)('$name', async (script) => {
    await replay(script, await startEtcd('3.5', { args: script.args }));
  });
});

describe.runIf(mustHave('3.4'))('etcd 3.4', () => {
  test.each(scripts.filter(({ since }) => since === '3.4'))('$name', async (script) => {
    await replay(script, await startEtcd('3.4', { args: script.args }));
  });
});
