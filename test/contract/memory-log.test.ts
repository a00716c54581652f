import { MemoryLog, MemoryStore } from '../../src/mvcc/memory-log.ts';
import { logContract } from './log-contract.ts';

logContract('memory', async () => {
  const store = new MemoryStore();
  return { log: () => new MemoryLog(store), dispose: async () => {} };
});
