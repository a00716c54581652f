import { open } from 'node:fs/promises';

/** Makes a file's contents durable, or, of a folder, that files in it were made, renamed or removed. Rejects with Node's error. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
