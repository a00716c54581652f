import { describe, expect, it } from 'vitest';
import { EventQueue } from './event-queue.ts';
import type { WatchEvent } from './messages.ts';

const event = (revision: number, bytes = 0): WatchEvent => ({
  kind: 'put',
  kv: { key: 'k', createRevision: 1, modRevision: revision, version: 1, value: new Uint8Array(bytes), lease: 0n },
});

const revisions = (events: readonly WatchEvent[]): number[] => events.map(({ kv }) => kv.modRevision);

describe('events between a watch and a commit', () => {
  it('are taken all at once, in order', async () => {
    const queue = new EventQueue(1000);
    const first = queue.take();
    await queue.add([event(2)]);
    expect(revisions(await first)).toEqual([2]);
    await queue.add([event(3), event(3)]);
    await queue.add([event(4)]);
    expect(revisions(await queue.take())).toEqual([3, 3, 4]);
  });

  it('make who adds wait while there are too many', async () => {
    const queue = new EventQueue(1000);
    let added = false;
    const adding = queue.add([event(2, 2000)]).then(() => {
      added = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(added).toBe(false);
    expect(revisions(await queue.take())).toEqual([2]);
    await adding;
  });

  it('end for both sides, and what is left is still taken', async () => {
    const queue = new EventQueue(1000);
    const adding = queue.add([event(2, 2000)]);
    queue.end();
    await adding;
    expect(revisions(await queue.take())).toEqual([2]);
    expect(await queue.take()).toEqual([]);
    const empty = new EventQueue(1000);
    const taking = empty.take();
    empty.end();
    expect(await taking).toEqual([]);
  });
});
