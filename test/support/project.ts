import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function rootAbove(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('no package.json above the tests');
  return rootAbove(parent);
}

/** The checkout: where sources, scripts and .proto files are. */
export const projectRoot: string = rootAbove(import.meta.dirname);

/** The folder that tsc wrote and that this test runs from (`dist`, or whatever KEDGE_DIST names). */
export const distRoot: string = join(import.meta.dirname, '..', '..');

/** The program as bin/kedge runs it: bundled, not what tsc wrote. */
export const kedgeFile: string = join(distRoot, 'kedge', 'main.js');
