import { logFor } from '../../src/log/engines.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { CommitChain } from '../../test/support/commit-chain.ts';
import { keyOf, makeValue } from '../etcd/keyspace.ts';

const changesPerCommit = 50;
const commitsInFlight = 4;

/**
 * Writes keys 0 to `keys` (exclusive), `rounds` times each, through the log itself, many revisions a commit: as puts it
 * would take minutes. Resolves with the newest revision.
 */
export async function fill(url: string, keys: number, rounds: number, valueBytes: number): Promise<number> {
  const log = logFor(url);
  const chain = new CommitChain((await log.open()).cursor);
  const value = new Uint8Array(makeValue(valueBytes));
  const first = chain.newest.revision + 1;
  let revision = first;
  const under: Promise<unknown>[] = [];
  while (revision < first + keys * rounds) {
    const changes: Change[] = [];
    const head = revision - 1;
    for (; changes.length < changesPerCommit && revision < first + keys * rounds; revision += 1) {
      const at = revision - first;
      const number = at % keys;
      changes.push({
        kind: 'put',
        key: keyOf(number).toString('latin1'),
        revision,
        sub: 0,
        createRevision: first + number,
        version: 1 + Math.floor(at / keys),
        lease: 0n,
        value,
      });
    }
    under.push(chain.append(log, head, changes).then(({ kind }) => mustBe(kind)));
    if (under.length >= commitsInFlight) await under.shift();
  }
  await Promise.all(under);
  await log.close();
  return revision - 1;
}

function mustBe(kind: string): void {
  if (kind !== 'committed') throw new Error(`an append was ${kind}: somebody else writes to the store`);
}
