import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { codeOf } from './errors.ts';

/*
 * The write-ahead log is a file that SQLite writes from its start again and again. Where the file has to grow, a
 * commit waits for the file system's own journal too and takes twice as long; so it is grown once, at open. SQLite
 * takes zeros after the last frame for what they are: no frame.
 */

const BLOCK = 2 ** 20;

/** Grows the write-ahead log of a store that nobody has open to `bytes`. Does nothing when there is no room for it. */
export function growWal(file: string, bytes: number): void {
  let fd: number | undefined;
  try {
    fd = openSync(`${file}-wal`, 'a', 0o600);
    const zeros = Buffer.alloc(BLOCK);
    for (let at = fstatSync(fd).size; at < bytes; at += BLOCK) writeSync(fd, zeros, 0, Math.min(BLOCK, bytes - at));
    fsyncSync(fd);
  } catch (error) {
    // Only a matter of speed: what is wrong with the disk will be told by the first commit.
    if (codeOf(error) === '') throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
