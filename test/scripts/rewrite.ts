import { startEtcd } from '../support/etcd.ts';
import { Interpreter } from './interpreter.ts';
import { allScripts, rewriteScript } from './script-file.ts';

/**
 * Writes what the scripts print anew, from the real etcd 3.5 and from nothing else: `node dist/test/scripts/rewrite.js [NAME…]`
 * Look at the difference before you commit it.
 */
const wanted = process.argv.slice(2);
for (const script of allScripts().filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const server = await startEtcd('3.5', { args: script.args });
  const interpreter = new Interpreter(server.endpoint);
  const outputs: string[][] = [];
  try {
    for (const block of script.blocks) outputs.push(await interpreter.run(block));
    rewriteScript(script, outputs);
    console.log(script.name);
  } catch (error) {
    console.log(`${script.name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  } finally {
    interpreter.close();
    await server.kill();
  }
}
