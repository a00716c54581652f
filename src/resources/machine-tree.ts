import { readlinkSync } from 'node:fs';
import { isKept, listBounded, readBounded, readNow } from './bounded-read.ts';
import { parseCpuList } from './cpu-list.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import { parseCount, plainText } from './plain-text.ts';

/**
 * /proc and /sys of one machine, below a root folder: `/` for the machine we run on, the folder where a container has its
 * host's, a test's tree. Nothing here throws: what is missing, unreadable or a loop of links is undefined, what is too
 * long is cut and named in `incomplete`. Paths have no leading slash: `proc/cpuinfo`.
 *
 * How it is read, and why not simply: bounded-read.ts.
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
    if (!this.#mayOpen(path)) return undefined;
    const file = `${this.#root}/${path}`;
    const found = isKept(path)
      ? readNow(file, bytesMax)
      : await this.#inTurn(() => readBounded(file, bytesMax, path.startsWith('sys/')));
    if (found?.isCut === true) this.#incomplete.add(`/${path}: only its first ${bytesMax} bytes`);
    return found?.bytes;
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

  /** Names in a folder of /sys, in the order people count (`cpu2` before `cpu10`); `folderEntriesMax` at the most. */
  names(path: string): readonly string[] {
    if (!this.#mayOpen(path)) return [];
    const found = listBounded(`${this.#root}/${path}`, RESOURCE_LIMITS.folderEntriesMax);
    if (found.isCut) this.#incomplete.add(`/${path}: only ${RESOURCE_LIMITS.folderEntriesMax} of its entries`);
    return found.names.sort(byNumber);
  }

  /** Where a symbolic link in /sys leads, as it is written. */
  link(path: string): string | undefined {
    if (!this.#mayOpen(path)) return undefined;
    try {
      return readlinkSync(`${this.#root}/${path}`);
    } catch (_noLink) {
      return undefined; // Not there, or no link: as good as none.
    }
  }

  /** The last part of where a link leads: a driver's name, a device's address. */
  linkName(path: string): string | undefined {
    return plainText(this.link(path)?.split('/').at(-1) ?? '');
  }

  #mayOpen(path: string): boolean {
    this.#opens += 1;
    if (this.#opens <= RESOURCE_LIMITS.opensMax) return true;
    this.#incomplete.add(`/${path.split('/')[0]}: more than ${RESOURCE_LIMITS.opensMax} files`);
    return false;
  }

  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
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
