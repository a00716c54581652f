import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogError } from '../../mvcc/log.ts';
import { parseSqliteUrl, SQLITE_DEFAULTS } from './options.ts';

describe('the SQLite URL', () => {
  it('names an absolute or a relative file', () => {
    expect(parseSqliteUrl('sqlite:///var/lib/kedge.db')).toEqual({ file: '/var/lib/kedge.db', ...SQLITE_DEFAULTS });
    expect(parseSqliteUrl('sqlite:/var/lib/kedge.db').file).toBe('/var/lib/kedge.db');
    expect(parseSqliteUrl('sqlite:data/kedge.db').file).toBe(resolve('data/kedge.db'));
    expect(parseSqliteUrl('sqlite:///a%20b/%C3%A9%3F.db').file).toBe('/a b/é?.db');
  });

  it('takes parameters', () => {
    const url = 'sqlite:///a.db?synchronous=normal&check=full&cache_mib=8&mmap_mib=0&wal_mib=4&spin=off';
    expect(parseSqliteUrl(url)).toEqual({
      file: '/a.db',
      synchronous: 'normal',
      check: 'full',
      cacheBytes: 8 * 2 ** 20,
      mmapBytes: 0,
      walBytes: 4 * 2 ** 20,
      spin: false,
    });
  });

  it.each([
    ['sqlite://host/a.db', 'a host is not possible'],
    ['sqlite:', 'must name a file'],
    ['sqlite:///folder/', 'must name a file'],
    ['sqlite:///a%zz', 'percent escape'],
    ['sqlite:///a%00b', 'must name a file'],
    ['sqlite:///a?synchronous=off', 'parameter synchronous is "off"; it must be full or normal'],
    ['sqlite:///a?cache_mib=0', 'parameter cache_mib is "0"; it must be a whole number of MiB from 1'],
    ['sqlite:///a?cache_mib=1e3', 'parameter cache_mib'],
    ['sqlite:///a?wal_mib=1&wal_mib=2', 'parameter wal_mib is given twice'],
    ['sqlite:///a?spin=on', 'parameter spin is "on"; it must be auto or off'],
    ['sqlite:///a?sync=full', 'unknown parameter sync; known parameters: synchronous=full|normal'],
  ])('refuses %s', (url, text) => {
    const parse = () => parseSqliteUrl(url);
    expect(parse).toThrow(LogError);
    expect(parse).toThrow(text);
    expect(parse).toThrow(url);
  });
});
