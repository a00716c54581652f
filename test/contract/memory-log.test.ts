import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { SharedMemoryLog, SharedMemoryStore } from '../../src/mvcc/shared-memory-log.ts';
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
