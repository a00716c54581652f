import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSqliteUrl } from './options.ts';
import type { WriterCalls } from './protocol.ts';
import { ThreadClient } from './thread-client.ts';

/** The calls of a writer, and one that it does not know: a defect, at which the thread ends. */
type Calls = WriterCalls & { nonsense: [undefined, undefined] };

describe('a thread that dies', () => {
  it('rejects what is under way and what comes later, and can still be ended', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-thread-'));
    const options = parseSqliteUrl(`sqlite://${folder}/kedge.db`);
    const thread = new ThreadClient<Calls>({ role: 'writer', slot: undefined, options });
    try {
      expect(await thread.call('open', undefined)).toMatchObject({ cursor: { revision: 1 } });
      const empty = { expectedHead: 1, rows: 0, buffer: new ArrayBuffer(0), notes: undefined };
      expect(await thread.call('append', empty)).toBe(undefined);
      const calls = await Promise.allSettled([
        thread.call('nonsense', undefined),
        thread.call('append', empty),
        thread.call('compact', 1),
      ]);
      expect(calls.map((each) => (each.status === 'rejected' ? each.reason.code : 'fulfilled'))).toEqual([
        'unavailable',
        'ambiguous',
        'unavailable',
      ]);
      await expect(thread.call('append', empty)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('the writer knows no call nonsense'),
      });
    } finally {
      await thread.end();
      await rm(folder, { recursive: true });
    }
  });
});
