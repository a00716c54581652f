import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

/** A fresh folder that vanishes when the process ends by itself; who fills it removes it before (removeFolder). */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `kedge-${name}-`));
  if (made.length === 0) process.once('exit', () => made.forEach(removeFolder));
  made.push(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
