import { Failure } from '../../base/failure.ts';
import { KeyIndex } from '../../mvcc/key-index.ts';
import type { Log, LogState } from '../../mvcc/log.ts';
import { type Key, type Revision, TO_THE_LAST_KEY } from '../../mvcc/types.ts';
import type { EtcdClient } from './client.ts';
import type { KeyValueMessage } from './key-value-message.ts';

const PAGE_KEYS = 1000;

/**
 * Holds every key of the store against the source's at one revision: value, create and mod revision, version, lease.
 * For stores that cannot have the source's HashKV because they were copied without history. The log was opened just
 * now. Answers the number of keys. Rejects with a Failure that names the first key that differs.
 */
export async function compareLive(client: EtcdClient, log: Log, state: LogState, at: Revision): Promise<number> {
  const index = new KeyIndex();
  await log.load((rows) => index.load(rows));
  index.sortLoaded(() => {});
  let keys = 0;
  for (let from: Key = '\0'; ; ) {
    const page = await client.range({
      key: from,
      end: TO_THE_LAST_KEY,
      limit: PAGE_KEYS,
      revision: at,
      countOnly: false,
    });
    await comparePage(page.kvs, index, log);
    keys += page.kvs.length;
    const last = page.kvs.at(-1);
    if (last === undefined || !page.more) break;
    from = `${last.key}\0`;
  }
  if (keys !== index.liveKeys) {
    throw new Failure(
      `the source has ${keys} keys at revision ${at}, the store ${index.liveKeys} at ${state.cursor.revision}`,
    );
  }
  return keys;
}

async function comparePage(kvs: readonly KeyValueMessage[], index: KeyIndex, log: Log): Promise<void> {
  const places = kvs.map(({ key }) => {
    const entry = index.get(key);
    if (entry === undefined || entry.version === 0) throw differs(key, 'is not in the store');
    return { revision: entry.revision, sub: entry.sub };
  });
  const rows = await log.rows(places);
  kvs.forEach((kv, i) => {
    const row = rows[i];
    const same =
      row !== undefined &&
      row.revision === kv.modRevision &&
      row.createRevision === kv.createRevision &&
      row.version === kv.version &&
      row.lease === kv.lease &&
      Buffer.compare(row.value, kv.value) === 0;
    if (!same) throw differs(kv.key, `differs: mod_revision ${row?.revision} instead of ${kv.modRevision}`);
  });
}

function differs(key: Key, how: string): Failure {
  const shown = Buffer.from(key, 'latin1').toString('utf8');
  return new Failure(`the key ${JSON.stringify(shown)} ${how}. Do not use the store; copy once more`);
}
