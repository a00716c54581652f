import { describe, expect, it } from 'vitest';
import { LogError } from '../mvcc/log.ts';
import { MemoryLog } from '../mvcc/memory-log.ts';
import { logFor } from './engines.ts';
import { SqliteLog } from './sqlite/sqlite-log.ts';

describe('the store URL', () => {
  it('chooses the engine by its scheme', () => {
    expect(logFor('sqlite:///tmp/a.db')).toBeInstanceOf(SqliteLog);
    expect(logFor('sqlite:a.db')).toBeInstanceOf(SqliteLog);
    expect(logFor('memory:')).toBeInstanceOf(MemoryLog);
  });

  it.each(['postgre://a/b', '/var/lib/a.db', '', 'constructor:', ':'])('refuses %s and names the known ones', (url) => {
    expect(() => logFor(url)).toThrow(LogError);
    expect(() => logFor(url)).toThrow(/the known ones are sqlite, postgres, /);
  });
});
