import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logFor } from '../../src/log/engines.ts';
import type { Change } from '../../src/mvcc/types.ts';
import { FIRST_REVISION } from '../../src/mvcc/types.ts';
import { headAfter, transactionAt } from './batches.ts';
import { Appender } from './child.ts';

const ROUNDS = Number(process.env['KEDGE_KILL_ROUNDS'] ?? 24);

describe('kill -9 of a process that appends', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-kill-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('loses no acknowledged batch and leaves none half', async () => {
    const seed = Number(process.env['KEDGE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`kill -9: KEDGE_SEED=${seed} KEDGE_KILL_ROUNDS=${ROUNDS}`);
    const random = generator(seed);
    // A small write-ahead log, so that kills also hit it being brought home.
    const url = `sqlite://${folder}/kedge.db?wal_mib=1`;
    let head: number = FIRST_REVISION;
    for (let round = 0; round < ROUNDS; round++) {
      const appender = new Appender(url, 1 + (round % 3));
      expect(await appender.until((told) => told.opened !== undefined)).toEqual({ opened: head });
      await new Promise((resolve) => setTimeout(resolve, random() * 120));
      expect(appender.process.exitCode, `round ${round}: it has ended by itself`).toBe(null);
      await appender.kill();
      const acknowledged = Math.max(head, ...appender.told.map((told) => told.committed ?? 0));

      const boundaries = [head];
      while ((boundaries.at(-1) ?? 0) <= acknowledged + 200) boundaries.push(headAfter(boundaries.at(-1) ?? 0));
      const log = logFor(url);
      const state = await log.open();
      expect(state.cursor.revision, `round ${round}: an acknowledged batch is lost`).toBeGreaterThanOrEqual(
        acknowledged,
      );
      expect(boundaries, `round ${round}: half a batch`).toContain(state.cursor.revision);
      const found: Change[] = [];
      for (let after = head; after < state.cursor.revision; after = found.at(-1)?.revision ?? state.cursor.revision) {
        found.push(...(await log.changes(after, 2 ** 20)));
      }
      let at = 0;
      let wrong = 0;
      for (let revision = head + 1; revision <= state.cursor.revision; revision++) {
        for (const change of transactionAt(revision)) if (!sameChange(found[at++], change)) wrong++;
      }
      expect({ wrong, rows: found.length }).toEqual({ wrong: 0, rows: at });
      await log.close();
      head = state.cursor.revision;
    }
    expect(head).toBeGreaterThan(FIRST_REVISION);
  }, 300_000);
});

function sameChange(a: Change | undefined, b: Change): boolean {
  return (
    a !== undefined &&
    a.revision === b.revision &&
    a.sub === b.sub &&
    a.key === b.key &&
    a.lease === b.lease &&
    Buffer.compare(a.value, b.value) === 0
  );
}

/** mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
