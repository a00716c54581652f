import { workerData } from 'node:worker_threads';
import { openAlone } from './connection.ts';
import type { SnapshotStart } from './snapshot.ts';

// The entry of a snapshot's thread: copies the store and ends.

const { file, copy } = workerData as SnapshotStart;
const db = openAlone(file);
try {
  db.prepare('VACUUM INTO ?').run(copy);
} finally {
  db.close();
}
