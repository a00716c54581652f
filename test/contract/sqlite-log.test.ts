import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSqliteUrl } from '../../src/log/sqlite/options.ts';
import { SqliteLog } from '../../src/log/sqlite/sqlite-log.ts';
import { logContract } from './log-contract.ts';

logContract('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-contract-'));
  const options = parseSqliteUrl(`sqlite://${folder}/kedge.db`);
  return { log: () => new SqliteLog(options), dispose: () => rm(folder, { recursive: true }) };
});
