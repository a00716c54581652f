import { setImmediate } from 'node:timers/promises';
import type { Position } from '../../mvcc/types.ts';
import type { StoreFile } from '../sqlite/store-file.ts';
import type { MysqlConnection } from './connection.ts';
import { beginSnapshot } from './head.ts';
import { pageAfter } from './rows.ts';

/** What is fetched and written at a time: the event loop is blocked while it is written. */
const PAGE_BYTES = 2 ** 20;

/** Everything, of one moment, into a store's file. */
export async function fillSnapshot(connection: MysqlConnection, file: StoreFile): Promise<void> {
  const state = await beginSnapshot(connection);
  try {
    let at: Position = { revision: 0, sub: 0 };
    for (;;) {
      const changes = await pageAfter(connection, at, PAGE_BYTES);
      const last = changes.at(-1);
      if (last === undefined) break;
      file.addRows(changes);
      at = last;
      await setImmediate();
    }
    file.finish(state);
  } finally {
    await connection.rollback();
  }
}
