import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary.ts';

/*
 * A machine's /proc and /sys as one text file, so that it can be read and changed:
 *
 *     == proc/sys/kernel/hostname = edge-1            a file of one line
 *     == proc/cpuinfo                                 a file of the lines that follow, up to the next ==
 *     == sys/block/sda -> ../devices/…/sda            a symbolic link
 *     == sys/devices/system/cpu/cpu{0,1}/… = 0-1      the same for several names
 *     # …                                             a remark; only before the first ==
 *
 * `\xff` is a byte.
 */

const folder = join(projectRoot, 'test', 'resources', 'fixtures');

/** Names of all fixtures. */
export const fixtureNames: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.tree'))
  .map((name) => name.slice(0, -'.tree'.length))
  .sort();

/** Lays a fixture out below a fresh folder: a root for MachineTree. */
export function layOutFixture(name: string): string {
  const root = temporaryFolder(`machine-${name}`);
  layOut(readFileSync(join(folder, `${name}.tree`), 'utf8'), root);
  return root;
}

/** The same of a text in a fixture's format. */
export function layOut(text: string, root: string): void {
  for (const part of text.split(/^== /m).slice(1)) {
    const lineEnd = part.indexOf('\n');
    const head = lineEnd < 0 ? part : part.slice(0, lineEnd);
    const [, path = '', sign, rest = ''] = /^(\S+)(?: (=|->) ?(.*))?$/.exec(head) ?? [];
    if (path === '') throw new Error(`not understood: == ${head}`);
    for (const one of expand(path)) {
      const target = join(root, one);
      mkdirSync(dirname(target), { recursive: true });
      if (sign === '->') symlinkSync(rest, target);
      else writeFileSync(target, bytesOf(sign === '=' ? `${rest}\n` : part.slice(lineEnd + 1)));
    }
  }
}

function expand(path: string): string[] {
  const match = /^(.*?)\{([^}]*)\}(.*)$/.exec(path);
  if (match === null) return [path];
  const [, before = '', names = '', after = ''] = match;
  return names.split(',').flatMap((name) => expand(`${before}${name}${after}`));
}

function bytesOf(text: string): Buffer {
  const parts = text.split(/(\\x[0-9a-f]{2})/);
  return Buffer.concat(
    parts.map((part) => (/^\\x[0-9a-f]{2}$/.test(part) ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part))),
  );
}
