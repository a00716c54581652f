import { describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import type { AppendBatch } from '../../mvcc/log.ts';
import { LogError } from '../../mvcc/log.ts';
import { AppendSlot, COMMITTED, serveSlot } from './append-slot.ts';
import { PackedBatch } from './packed-batch.ts';
import type { PackedAppend } from './protocol.ts';
import { Spin } from './spin.ts';

function batch(value: string): AppendBatch {
  const bytes = new TextEncoder().encode(value);
  const change = { revision: 8, sub: 0, key: 'a', createRevision: 8, version: 1, lease: 0n, value: bytes } as const;
  return {
    expected: { revision: 7, notes: 0, commit: 0 },
    commit: 0,
    changes: [{ kind: 'put', ...change }],
    notes: [],
  };
}

describe('the slot for small appends', () => {
  it('hands the packed rows over and gives the answer back, time after time', async () => {
    const slot = new AppendSlot(new Spin(systemClock, true));
    const seen: string[] = [];
    const thread = {
      ring: () =>
        serveSlot(
          slot.shared,
          (call: PackedAppend) => {
            const [change] = new PackedBatch(call.buffer, call.rows).changes();
            seen.push(`${call.expectedHead} ${change?.key}=${new TextDecoder().decode(change?.value.slice())}`);
            if (seen.length === 2) return 'moved';
            if (seen.length === 3) throw new LogError('unavailable', 'the disk is full');
            return undefined;
          },
          'kedge.db',
        ),
    };
    expect(await slot.append(batch('a longer value'), thread)).toEqual(COMMITTED);
    expect(await slot.append(batch('two'), thread)).toEqual({ kind: 'moved' });
    await expect(slot.append(batch('three'), thread)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the disk is full',
    });
    expect(await slot.append(batch('four'), thread)).toEqual(COMMITTED);
    expect(seen).toEqual(['7 a=a longer value', '7 a=two', '7 a=three', '7 a=four']);
  });

  it('is taken turns on by two ends that look and that sleep, whatever comes first', async () => {
    const slot = new AppendSlot(new Spin(systemClock, true));
    const waits = [
      (serve: () => void) => serve(),
      (serve: () => void) => queueMicrotask(serve),
      (serve: () => void) => setImmediate(serve),
      // Longer than anybody looks.
      (serve: () => void) => setTimeout(serve, 4),
    ];
    let served = 0;
    for (let i = 0; i < 400; i++) {
      const later = waits[i % 40 === 39 ? 3 : i % 3] as (serve: () => void) => void;
      const serve = () => serveSlot(slot.shared, () => (++served % 2 === 0 ? 'moved' : undefined), 'kedge.db');
      expect(await slot.append(batch('x'), { ring: () => later(serve) })).toEqual(
        i % 2 === 0 ? COMMITTED : { kind: 'moved' },
      );
    }
    expect(served).toBe(400);
  });

  it('lets the event loop go on while it looks', async () => {
    const slot = new AppendSlot(new Spin(systemClock, true));
    for (let i = 0; i < 9; i++) {
      await slot.append(batch('x'), { ring: () => serveSlot(slot.shared, () => undefined, 'kedge.db') });
    }
    let turns = 0;
    const answered = new Promise<void>((resolve) => {
      const turn = () => {
        turns += 1;
        if (turns < 5) setImmediate(turn);
        else {
          serveSlot(slot.shared, () => undefined, 'kedge.db');
          resolve();
        }
      };
      setImmediate(turn);
    });
    expect(await slot.append(batch('x'), { ring: () => {} })).toEqual(COMMITTED);
    await answered;
    expect(turns).toBe(5);
  });

  it('goes on waiting when a late notify of the append before wakes it', async () => {
    const slot = new AppendSlot(new Spin(systemClock, true));
    const waiting = slot.append(batch('x'), { ring: () => {} });
    for (let i = 0; i < 3; i += 1) {
      Atomics.notify(slot.shared.words, 0);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    serveSlot(slot.shared, () => undefined, 'kedge.db');
    expect(await waiting).toEqual(COMMITTED);
  });

  it('rejects as ambiguous what was under way when the thread ended', async () => {
    const slot = new AppendSlot(new Spin(systemClock, true));
    const waiting = slot.append(batch('x'), { ring: () => {} });
    slot.abandon(new LogError('unavailable', 'the thread has ended'));
    await expect(waiting).rejects.toMatchObject({ code: 'ambiguous', message: 'the thread has ended' });
  });

  it('takes the answer that the thread gave before it ended', async () => {
    const slot = new AppendSlot(new Spin(systemClock, true));
    const waiting = slot.append(batch('x'), { ring: () => {} });
    serveSlot(slot.shared, () => 'moved', 'kedge.db');
    slot.abandon(new LogError('unavailable', 'the thread has ended'));
    expect(await waiting).toEqual({ kind: 'moved' });
    // The notify of that answer comes to nobody.
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
});
