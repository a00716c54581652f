import { Failure } from '../base/failure.ts';
import type { ImportSink, ImportState } from '../mvcc/import-sink.ts';
import { importedTo } from '../mvcc/imported-to.ts';
import type { Change, Revision } from '../mvcc/types.ts';
import { KeptRows } from './kept-rows.ts';
import type { Progress } from './progress.ts';
import { RowHash } from './row-hash.ts';
import type { Source } from './source.ts';

/** What was taken over: what the target must show again. */
export interface Copied {
  readonly head: Revision;
  readonly horizon: Revision;
  readonly rows: number;
  readonly keys: number;
  readonly leases: number;
  /** etcd's HashKV of the target at its head, from the rows as they went by. */
  readonly hash: number;
  readonly remarks: readonly string[];
}

export interface CopyOptions {
  /** All revisions since the source's horizon; without: the newest version of each key, and the head is the horizon. */
  readonly history: boolean;
  readonly progress: Progress;
}

/**
 * Takes a source over into a sink, in two passes, in memory for an entry a key. Whatever goes wrong, the sink is
 * aborted: nothing half is left that could be taken for a store. The source is open, and closed by the caller.
 */
export async function copy(
  source: Source,
  sourceHorizon: Revision,
  sink: ImportSink,
  { history, progress }: CopyOptions,
): Promise<Copied> {
  try {
    await sink.begin();
    const kept = new KeptRows(history ? sourceHorizon : 'head');
    progress.begin('reading');
    let newest = 0;
    let hasGaps = false;
    const { head, leases, records, remarks } = await source.survey((row) => {
      hasGaps ||= row.revision > newest + 1 && newest >= sourceHorizon && newest > 0;
      newest = row.revision;
      kept.note(row);
      progress.note(kept.rows);
    });
    kept.finish(head);
    progress.end(`${kept.rows} rows, revision ${head}, ${kept.liveKeys} keys`);

    // kine's history has holes, and a check must not take them for damage.
    const holes = history && hasGaps ? [importedTo(head)] : [];
    const state: ImportState = {
      head,
      horizon: history ? sourceHorizon : head,
      leases,
      records: [...records, ...holes],
    };
    progress.begin('writing', kept.keptRows);
    const hash = await writeRows(source, sink, kept, progress);
    await sink.finish(state);
    progress.end(`${kept.keptRows} rows, ${leases.length} leases`);
    return {
      head,
      horizon: state.horizon,
      rows: kept.keptRows,
      keys: kept.liveKeys,
      leases: leases.length,
      hash,
      remarks,
    };
  } finally {
    await sink.abort();
  }
}

async function writeRows(source: Source, sink: ImportSink, kept: KeptRows, progress: Progress): Promise<number> {
  const hash = new RowHash();
  let place = 0;
  let written = 0;
  for await (const chunk of source.changes()) {
    const taken: Change[] = [];
    for (const change of chunk) {
      if (kept.isKept(place)) {
        taken.push(change);
        if (kept.isHashed(place) && !isDeleteAtHorizon(change, kept)) hash.add(change);
      }
      place += 1;
    }
    if (taken.length > 0) await sink.write(taken);
    written += taken.length;
    progress.note(written);
  }
  if (place !== kept.rows) {
    throw new Failure(`${source.name} was changed while it was read: ${place} rows instead of ${kept.rows}`);
  }
  return hash.value;
}

/** Kept, but never counted. */
function isDeleteAtHorizon(change: Change, kept: KeptRows): boolean {
  return change.kind === 'delete' && change.revision === kept.horizon;
}
