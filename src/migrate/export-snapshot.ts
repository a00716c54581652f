import { copy } from './copy.ts';
import { EtcdSnapshotSource } from './etcd/snapshot-source.ts';
import { EtcdSnapshotWriter } from './etcd/snapshot-writer.ts';
import { NullSink } from './null-sink.ts';
import { Progress } from './progress.ts';
import type { Source } from './source.ts';
import { formatHash, mustEqual } from './verify.ts';

/**
 * Writes an etcd snapshot of any source, reads it back and compares. Rejects with a Failure; then no file is there
 * that was not there before, or the one that is there is named as wrong.
 */
export async function exportSnapshot(
  source: Source,
  path: string,
  history: boolean,
  progress: Progress,
  print: (line: string) => void,
): Promise<void> {
  print(`from ${source.name}`);
  const { description, horizon } = await source.open();
  print(`  ${description}, compacted at revision ${horizon}`);
  const sink = new EtcdSnapshotWriter(path);
  const { remarks, ...wanted } = await copy(source, horizon, sink, { history, progress });
  for (const remark of remarks) print(`  note: ${remark}`);
  const written = new EtcdSnapshotSource(path, { progress: Progress.silent });
  try {
    const opened = await written.open();
    progress.begin('reading back');
    const quiet = { history: true, progress: Progress.silent };
    const { remarks: _, ...found } = await copy(written, opened.horizon, new NullSink(), quiet);
    mustEqual(path, wanted, found);
    progress.end(`${found.rows} rows`);
    print(
      `wrote ${path}: revision ${found.head}, compacted at ${found.horizon}, ${found.keys} keys, ${found.leases} leases, HashKV ${formatHash(found.hash)}`,
    );
  } finally {
    await written.close();
  }
}
