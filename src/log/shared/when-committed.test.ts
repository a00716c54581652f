import { describe, expect, it } from 'vitest';
import { BatchesBelow } from '../../mvcc/batches-below.ts';
import { whenCommitted } from './when-committed.ts';

const BATCH = { expected: { revision: 1, notes: 0, commit: 0 }, commit: 1, changes: [], notes: [] };

describe('a batch below', () => {
  it('lets what stands on it be sent in the step in which it is known to be committed, once', async () => {
    const below = new BatchesBelow([BATCH]);
    const sent: string[] = [];
    const appending = whenCommitted(below, async () => {
      sent.push('sent');
      return { kind: 'committed' };
    });
    expect(sent).toEqual([]);
    below.know(true);
    expect(sent).toEqual(['sent']);
    below.know(false);
    below.know(true);
    expect(await appending).toEqual({ kind: 'committed' });
    expect(sent).toEqual(['sent']);
  });

  it('keeps it from being sent when it is not waited for any more', async () => {
    const below = new BatchesBelow([BATCH]);
    const send = () => Promise.reject(new Error('it was sent'));
    const before = whenCommitted(below, send);
    below.know(false);
    below.know(true);
    expect(await before).toEqual({ kind: 'moved' });
    expect(await whenCommitted(below, send)).toEqual({ kind: 'moved' });
  });

  it('passes on how sending went wrong', async () => {
    const below = new BatchesBelow([BATCH]);
    below.know(true);
    await expect(whenCommitted(below, () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  });
});
