import { close, closeSync, constants, type Dir, open, opendirSync, openSync, read, readSync } from 'node:fs';

/*
 * Reading small files of the kernel, hundreds of them, in a server that must not stand still meanwhile.
 *
 * What the kernel has in its own memory takes microseconds: to open, list or follow something in /sys, and to read what
 * `isKept` knows. That is done at once. To read anything else asks a driver, which may take its time (a network card for
 * its speed, a stick that is being reset), and /proc may when it is opened already: that is left to Node.js's threads,
 * which costs ten times as much. (fs/promises would cost two to three times more still.)
 */

const KEPT =
  /^(sys\/devices\/system\/(node\/|cpu\/(online|present|cpu\d+\/(topology|cache)\/))|sys\/(kernel\/mm|class\/dmi|firmware\/devicetree)\/|sys\/bus\/pci\/devices\/[^/]+\/(numa_node|sriov_totalvfs)$|proc\/sys\/kernel\/)/;

/** Whether the kernel answers out of its own memory. `path` is below the root, without a slash before it. */
export function isKept(path: string): boolean {
  return KEPT.test(path);
}

export interface BoundedBytes {
  readonly bytes: Buffer;
  /** There is more. */
  readonly isCut: boolean;
}

/** A pipe must not make us wait for a writer, nor a terminal become ours. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const CHUNK_BYTES = 4096;

/** The first `bytesMax` bytes of a file; undefined when it cannot be read. */
export async function readBounded(path: string, bytesMax: number, isSysfs: boolean): Promise<BoundedBytes | undefined> {
  const fd = isSysfs ? openNow(path) : await openLater(path);
  if (fd === undefined) return undefined;
  try {
    let buffer = Buffer.allocUnsafe(Math.min(bytesMax, CHUNK_BYTES));
    let length = 0;
    for (;;) {
      const count = await readInto(fd, buffer, length);
      if (count === undefined && length === 0) return undefined;
      length += count ?? 0;
      // An attribute in /sys comes in one piece of a page at most; /proc says that it is done by an empty one.
      if (count === undefined || count === 0 || (isSysfs && length < buffer.length)) {
        return { bytes: buffer.subarray(0, length), isCut: false };
      }
      if (length < buffer.length) continue;
      if (length >= bytesMax) {
        const beyond = await readInto(fd, Buffer.allocUnsafe(1), 0);
        return { bytes: buffer, isCut: beyond === 1 };
      }
      const larger = Buffer.allocUnsafe(Math.min(bytesMax, buffer.length * 4));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
  } finally {
    if (isSysfs) closeSync(fd);
    else close(fd);
  }
}

/** The same at once, for what isKept. */
export function readNow(path: string, bytesMax: number): BoundedBytes | undefined {
  const fd = openNow(path);
  if (fd === undefined) return undefined;
  try {
    let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let length = 0;
    for (let count = -1; count !== 0; ) {
      if (length > bytesMax) return { bytes: buffer.subarray(0, bytesMax), isCut: true };
      if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.alloc(length * 3)]);
      count = readSync(fd, buffer, length, buffer.length - length, null);
      length += count;
    }
    return { bytes: buffer.subarray(0, length), isCut: false };
  } catch (_notReadable) {
    return undefined; // A folder, or an attribute that has no answer: as good as none.
  } finally {
    closeSync(fd);
  }
}

/** Undefined: it cannot be opened. */
function openNow(path: string): number | undefined {
  try {
    return openSync(path, OPEN_FLAGS);
  } catch (_notThere) {
    return undefined; // Missing, a loop of links, not for us: nothing to tell in any case.
  }
}

function openLater(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    open(path, OPEN_FLAGS, (error, fd) => resolve(error === null ? fd : undefined));
  });
}

/** How many bytes came; undefined when none can. */
function readInto(fd: number, buffer: Buffer, at: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    read(fd, buffer, at, buffer.length - at, null, (error, count) => resolve(error === null ? count : undefined));
  });
}

/** Names in a folder, in no order; none when it cannot be read. */
export function listBounded(path: string, entriesMax: number): { readonly names: string[]; readonly isCut: boolean } {
  const names: string[] = [];
  let dir: Dir | undefined;
  try {
    dir = opendirSync(path, { bufferSize: 256 });
    for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) {
      if (names.length >= entriesMax) return { names, isCut: true };
      names.push(entry.name);
    }
    return { names, isCut: false };
  } catch (_notThere) {
    return { names, isCut: false }; // As with files.
  } finally {
    dir?.closeSync();
  }
}
