import { close, constants, type Dir, open, opendir, read, readlink } from 'node:fs';
import { parseCpuList } from './cpu-list.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import { parseCount, plainText } from './plain-text.ts';

/**
 * /proc and /sys of one machine, below a root folder: `/` for the machine we run on, the folder where a container has its
 * host's, a test's tree. Nothing here throws: what is missing, unreadable or a loop of links is undefined, what is too
 * long is cut and named in `incomplete`. Paths have no leading slash: `proc/cpuinfo`.
 *
 * Callbacks rather than fs/promises, which takes two to three times as long for files as small as these; and never the
 * synchronous calls, because a driver may take its time to answer (a network card that is asked for its speed).
 */
export class MachineTree {
  readonly #root: string;
  #opens = 0;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #incomplete = new Set<string>();

  /** `root` with or without a slash at its end. */
  constructor(root: string) {
    this.#root = root.replace(/\/+$/, '');
  }

  /** What was not read whole, each with the limit that was met. */
  get incomplete(): readonly string[] {
    return [...this.#incomplete].sort();
  }

  /** As many of these as there may be of a kind; the rest is named as not read. */
  some<T>(devices: readonly T[], kind: string): readonly T[] {
    if (devices.length > RESOURCE_LIMITS.devicesMax) {
      this.#incomplete.add(`${kind}: only ${RESOURCE_LIMITS.devicesMax} of ${devices.length}`);
    }
    return devices.slice(0, RESOURCE_LIMITS.devicesMax);
  }

  /** The file's bytes, `bytesMax` at the most. */
  async bytes(path: string, bytesMax: number = RESOURCE_LIMITS.fileBytesMax): Promise<Buffer | undefined> {
    return await this.#inTurn(path, () => readBounded(`${this.#root}/${path}`, bytesMax, path.startsWith('sys/'))).then(
      (found) => {
        if (found?.isCut === true) this.#incomplete.add(`/${path}: only its first ${bytesMax} bytes`);
        return found?.bytes;
      },
    );
  }

  /** The file as text with its lines, as it is (unlike `text`). */
  async lines(path: string, bytesMax?: number): Promise<string | undefined> {
    return (await this.bytes(path, bytesMax))?.toString('utf8');
  }

  /** A file that holds one name or number, fit to show. */
  async text(path: string): Promise<string | undefined> {
    const bytes = await this.bytes(path);
    return bytes === undefined ? undefined : plainText(bytes);
  }

  /** A file that holds one whole number; undefined for a negative one, which is the kernel's way to say unknown. */
  async count(path: string): Promise<number | undefined> {
    return parseCount(await this.text(path));
  }

  /** A file with a list of CPUs, `0-3,8`; undefined when it is not there. */
  async cpus(path: string): Promise<readonly number[] | undefined> {
    const list = await this.lines(path);
    return list === undefined ? undefined : parseCpuList(list);
  }

  /** Names in a folder, in the order people count (`cpu2` before `cpu10`); `folderEntriesMax` at the most. */
  async names(path: string): Promise<readonly string[]> {
    const found = await this.#inTurn(path, () => listBounded(`${this.#root}/${path}`));
    if (found === undefined) return [];
    if (found.isCut) this.#incomplete.add(`/${path}: only ${RESOURCE_LIMITS.folderEntriesMax} of its entries`);
    return found.names.sort(byNumber);
  }

  /** Where a symbolic link leads, as it is written. */
  async link(path: string): Promise<string | undefined> {
    return await this.#inTurn(
      path,
      () =>
        new Promise((resolve) => {
          readlink(`${this.#root}/${path}`, (error, target) => resolve(error === null ? target : undefined));
        }),
    );
  }

  /** The last part of where a link leads: a driver's name, a device's address. */
  async linkName(path: string): Promise<string | undefined> {
    return plainText((await this.link(path))?.split('/').at(-1) ?? '');
  }

  async #inTurn<T>(path: string, task: () => Promise<T | undefined>): Promise<T | undefined> {
    this.#opens += 1;
    if (this.#opens > RESOURCE_LIMITS.opensMax) {
      this.#incomplete.add(`/${path.split('/')[0]}: more than ${RESOURCE_LIMITS.opensMax} files`);
      return undefined;
    }
    if (this.#running >= RESOURCE_LIMITS.openAtOnceMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await task();
    } finally {
      // The place goes to who waits, without being free in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

/** `eth2` before `eth10`; the same everywhere, whatever the locale. */
export function byNumber(a: string, b: string): number {
  const [partsA, partsB] = [a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? []];
  for (let i = 0; i < Math.min(partsA.length, partsB.length); i += 1) {
    const [partA = '', partB = ''] = [partsA[i], partsB[i]];
    const byValue = Number(partA) - Number(partB);
    if (!Number.isNaN(byValue) && byValue !== 0) return byValue;
    if (partA !== partB) return partA < partB ? -1 : 1;
  }
  return partsA.length - partsB.length;
}

/** A pipe must not make us wait for a writer, nor a terminal become ours. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const CHUNK_BYTES = 4096;

function readBounded(
  path: string,
  bytesMax: number,
  isSysfs: boolean,
): Promise<{ readonly bytes: Buffer; readonly isCut: boolean } | undefined> {
  return new Promise((resolve) => {
    open(path, OPEN_FLAGS, (openError, fd) => {
      if (openError !== null) return resolve(undefined);
      const finish = (result: { readonly bytes: Buffer; readonly isCut: boolean } | undefined): void => {
        close(fd, () => resolve(result));
      };
      let buffer = Buffer.allocUnsafe(Math.min(bytesMax, CHUNK_BYTES));
      let length = 0;
      const more = (): void => {
        read(fd, buffer, length, buffer.length - length, null, (readError, count) => {
          if (readError !== null)
            return finish(length === 0 ? undefined : { bytes: buffer.subarray(0, length), isCut: false });
          length += count;
          // An attribute in /sys comes in one piece of a page at most; /proc says that it is done by an empty one.
          if (count === 0 || (isSysfs && length < buffer.length)) {
            return finish({ bytes: buffer.subarray(0, length), isCut: false });
          }
          if (length === buffer.length) {
            if (length >= bytesMax) return isLast(fd, (last) => finish({ bytes: buffer, isCut: !last }));
            const larger = Buffer.allocUnsafe(Math.min(bytesMax, buffer.length * 4));
            buffer.copy(larger, 0, 0, length);
            buffer = larger;
          }
          more();
        });
      };
      more();
    });
  });
}

function isLast(fd: number, answer: (last: boolean) => void): void {
  read(fd, Buffer.allocUnsafe(1), 0, 1, null, (error, count) => answer(error !== null || count === 0));
}

function listBounded(path: string): Promise<{ readonly names: string[]; readonly isCut: boolean } | undefined> {
  return new Promise((resolve) => {
    opendir(path, { bufferSize: 256 }, (openError, dir: Dir) => {
      if (openError !== null) return resolve(undefined);
      const names: string[] = [];
      const finish = (isCut: boolean): void => {
        dir.close(() => resolve({ names, isCut }));
      };
      const more = (): void => {
        dir.read((error, entry) => {
          if (error !== null || entry === null) return finish(false);
          if (names.length >= RESOURCE_LIMITS.folderEntriesMax) return finish(true);
          names.push(entry.name);
          more();
        });
      };
      more();
    });
  });
}
