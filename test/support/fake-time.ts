import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary.ts';

const LIBRARIES = '/usr/lib';

function library(): string | undefined {
  const given = process.env['KEDGE_FAKETIME'];
  if (given !== undefined) return given;
  return readdirSync(LIBRARIES)
    .map((folder) => join(LIBRARIES, folder, 'faketime', 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
}

/** In CI nothing may be missing; elsewhere its tests are skipped by name. */
export function hasFakeTime(): boolean {
  if (library() !== undefined) return true;
  if (process.env['CI'] !== undefined) throw new Error('no libfaketime: bin/test installs faketime');
  return false;
}

/**
 * The wall clock of a process, by libfaketime: it jumps when told to, as when somebody sets the machine's. What counts
 * time since the start (CLOCK_MONOTONIC) goes on as it does then.
 */
export class FakeTime {
  /** For the process, at its start. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor() {
    this.#file = join(temporaryFolder('clock'), 'offset');
    this.jump(0);
    this.environment = {
      LD_PRELOAD: library() ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** From now on it is so many seconds ahead of the machine's, or behind. */
  jump(seconds: number): void {
    writeFileSync(this.#file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }
}
