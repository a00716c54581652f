import { workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { SnapshotStart } from './snapshot.ts';

// The entry of a snapshot's thread: copies the store and ends.

const { file, copy } = workerData as SnapshotStart;
const db = new Database(file, { fileMustExist: true });
try {
  db.prepare('VACUUM INTO ?').run(copy);
} finally {
  db.close();
}
