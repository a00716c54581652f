import { setImmediate } from 'node:timers/promises';
import type { StoreFile } from '../sqlite/store-file.ts';
import type { PgConnection } from './connection.ts';
import { inSnapshot, readState } from './reader.ts';
import { changesOf } from './rows.ts';
import type { Statements } from './statements.ts';

/** What is fetched and written at a time: the event loop is blocked while it is written. */
const PAGE_ROWS = 512;
const PAGE_BYTES = 2 ** 20;

/** Everything, of one moment, into a store's file. */
export function fillSnapshot(connection: PgConnection, file: StoreFile, statements: Statements): Promise<void> {
  return inSnapshot(connection, async () => {
    const state = await readState(connection, statements);
    let last = { revision: 0, sub: 0 };
    for (;;) {
      const page = await connection.query(statements.changes, [last.revision, last.sub, PAGE_ROWS, PAGE_BYTES]);
      const changes = changesOf(page);
      const end = changes.at(-1);
      if (end === undefined) break;
      file.addRows(changes);
      last = end;
      await setImmediate();
    }
    file.finish(state);
  });
}
