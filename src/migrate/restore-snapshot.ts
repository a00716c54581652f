import { copy } from './copy.ts';
import type { Progress } from './progress.ts';
import { sinkFor } from './sink-for.ts';
import type { Source } from './source.ts';
import { formatHash, mustEqual, readBack } from './verify.ts';

/** Makes a store of a snapshot, with all its history, on whatever engine the URL names; read back and compared. */
export async function restoreSnapshot(
  source: Source,
  storeUrl: string,
  progress: Progress,
  print: (line: string) => void,
): Promise<void> {
  const { horizon } = await source.open();
  const { remarks, ...wanted } = await copy(source, horizon, sinkFor(storeUrl), { history: true, progress });
  for (const remark of remarks) print(`  note: ${remark}`);
  const found = await readBack(storeUrl);
  mustEqual('the store', wanted, found);
  const { head, keys, leases, hash } = found;
  print(`restored ${source.name}: revision ${head}, ${keys} keys, ${leases} leases, HashKV ${formatHash(hash)}`);
}
