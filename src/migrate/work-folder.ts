import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../base/failure.ts';

/** What a signal's default action would end with. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const folders = new Set<string>();

/**
 * A folder of its own for files that are as large as a store and as secret, for their owner's eyes only. It goes when
 * it is removed, and also when a signal ends the program before that.
 */
export class WorkFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Rejects with a Failure. */
  static async make(parent: string): Promise<WorkFolder> {
    try {
      await mkdir(parent, { recursive: true, mode: 0o700 });
      const path = await mkdtemp(join(parent, 'kedge-work-'));
      if (folders.size === 0) for (const signal of SIGNAL_NAMES) process.on(signal, endAfterCleaning);
      folders.add(path);
      return new WorkFolder(path);
    } catch (error) {
      throw new Failure(`cannot make a work folder in ${parent} (--work-dir names another): ${String(error)}`, {
        cause: error,
      });
    }
  }

  /** Of a file in it. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Idempotent. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    folders.delete(this.path);
    if (folders.size === 0) for (const signal of SIGNAL_NAMES) process.off(signal, endAfterCleaning);
  }
}

const SIGNAL_NAMES = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];

function endAfterCleaning(signal: keyof typeof SIGNALS): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  process.exit(SIGNALS[signal]);
}
