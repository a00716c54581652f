import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

/** Compiled from gathering-vfs.c by bin/prepare, where there is a C compiler. */
const LIBRARY = fileURLToPath(new URL('./gathering-vfs.so', import.meta.url));

/**
 * Makes the VFS known to this process and answers its name; undefined where there is none. Only for connections with
 * synchronous=FULL (gathering-vfs.c says why).
 */
export function gatheringVfs(): string | undefined {
  if (!existsSync(LIBRARY)) return undefined;
  const db = new Database(':memory:');
  try {
    db.loadExtension(LIBRARY);
    return 'kedge-gathering';
  } catch {
    // Compiled for another SQLite or another machine. It is only a matter of speed.
    return undefined;
  } finally {
    db.close();
  }
}
