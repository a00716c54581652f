import { describe } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { MemoryDutyFence } from '../../src/mvcc/duty-fence.ts';
import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
import { dutyFenceContract } from './duty-fence-contract.ts';
import { logContract } from './log-contract.ts';
import { sharedContract } from './shared-contract.ts';

logContract('memory', async () => {
  const store = new MemoryStore();
  return { log: () => new MemoryLog(store), dispose: async () => {} };
});

sharedContract('memory', async () => {
  const store = new SharedMemoryStore(() => performance.now());
  return { log: () => new SharedMemoryLog(store), dispose: async () => {} };
});

describe('the fence of a store that one process has to itself', () => {
  dutyFenceContract(async () => {
    const fence = new MemoryDutyFence(systemClock);
    return { a: fence, b: fence };
  });
});
