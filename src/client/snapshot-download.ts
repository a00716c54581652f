import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncPath } from '../base/sync-path.ts';
import type { Connection } from './connection.ts';
import { ClientExit, ExitError } from './exit-error.ts';
import { MaintenanceMethod } from './maintenance-methods.ts';
import { rpcErrorOf } from './rpc-error.ts';

const DIGEST_BYTES = 32;

/**
 * Fetches a snapshot into `path`: durably, and under that name only when it is whole and its SHA-256, which the server
 * sends behind it, is right. The file holds secrets: its owner's alone. Answers its size. Throws ExitError, RpcError.
 */
export async function downloadSnapshot(
  connection: Connection,
  path: string,
  timeoutMs: number,
  onProgress: (bytes: number, remainingBytes: number) => void,
): Promise<number> {
  const part = `${path}.part`;
  const file = await open(part, 'w', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw interrupted(`could not open ${part} (${error.message})`);
  });
  try {
    const bytes = await receive(connection, file, timeoutMs, onProgress);
    await file.sync();
    await file.close();
    await rename(part, path);
    await syncPath(dirname(path));
    return bytes;
  } catch (error) {
    await file.close();
    await rm(part, { force: true });
    throw isSystem(error) ? interrupted(`could not write ${part} (${error.message})`) : error;
  }
}

async function receive(
  connection: Connection,
  file: FileHandle,
  timeoutMs: number,
  onProgress: (bytes: number, remainingBytes: number) => void,
): Promise<number> {
  const stream = await connection.openReadStream(MaintenanceMethod.snapshot, {}, { timeoutMs });
  const digest = createHash('sha256');
  let bytes = 0;
  // The last bytes so far: at the end they are the digest, which is not part of what it is of.
  let tail = Buffer.alloc(0);
  try {
    for await (const response of stream) {
      const { blob, remaining_bytes } = response as { blob: Uint8Array; remaining_bytes: bigint };
      const held = Buffer.concat([tail, blob]);
      const settled = Math.max(held.length - DIGEST_BYTES, 0);
      digest.update(held.subarray(0, settled));
      tail = Buffer.from(held.subarray(settled));
      await file.writeFile(blob);
      bytes += blob.length;
      onProgress(bytes, Number(remaining_bytes));
    }
  } catch (error) {
    if (isSystem(error)) throw error;
    throw interrupted(rpcErrorOf(error).message);
  }
  if (bytes <= DIGEST_BYTES) throw interrupted(`sha256 checksum not found [bytes: ${bytes}]`);
  if (!digest.digest().equals(tail)) {
    throw interrupted(
      'the SHA-256 digest at the end of the snapshot is not that of what was received: it was cut short',
    );
  }
  return bytes;
}

function isSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

function interrupted(message: string): ExitError {
  return new ExitError(ClientExit.interrupted, message);
}
