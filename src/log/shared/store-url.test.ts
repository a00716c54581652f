import { describe, expect, it } from 'vitest';
import { parseStoreUrl, shownStoreUrl, UrlParameters } from './store-url.ts';

describe('the URL of a store in a database', () => {
  it('has user, password, hosts, database and parameters', () => {
    const url = parseStoreUrl('postgres://kedge:p%40ss@db1,db2:5433,[::1]:7/my%20db?schema=a&pool_max=4', 5432);
    expect(url).toMatchObject({
      user: 'kedge',
      password: 'p@ss',
      hosts: [
        { host: 'db1', port: 5432 },
        { host: 'db2', port: 5433 },
        { host: '::1', port: 7 },
      ],
      database: 'my db',
    });
    expect(Object.fromEntries(url.parameters)).toEqual({ schema: 'a', pool_max: '4' });
    expect(parseStoreUrl('mysql://host', 3306)).toMatchObject({
      user: undefined,
      password: undefined,
      database: undefined,
    });
    expect(parseStoreUrl('postgres:///db?host=/run', 5432)).toMatchObject({ hosts: [], database: 'db' });
  });

  it.each([
    'postgres://kedge:geheim@db:99999/x',
    'postgres://kedge:geheim@/x?a=1&a=2',
    'postgres://kedge:geheim%zz@db/x',
    'postgres://kedge:geheim@db:x/x',
    'postgres:/kedge:geheim@db/x',
    'postgres://kedge:g@geheim@b/x',
    'postgres://kedge:geheim@db,/x',
  ])('is refused without showing the password: %s', (url) => {
    expect(() => parseStoreUrl(url, 5432)).toThrow(/^store postgres:/);
    try {
      parseStoreUrl(url, 5432);
    } catch (error) {
      expect(String(error)).not.toContain('geheim');
    }
  });

  it('is shown without any password', () => {
    expect(shownStoreUrl('postgres://kedge:geheim@db/x?y=1')).toBe('postgres://kedge:***@db/x?y=1');
    expect(shownStoreUrl('postgres://kedge:ge:h@e@i/m@db/x')).toBe('postgres://kedge:***@db/x');
    expect(shownStoreUrl('postgres://db/x?password=geheim&a=b')).toBe('postgres://db/x?password=***&a=b');
    expect(shownStoreUrl('postgres://kedge@db/x')).toBe('postgres://kedge@db/x');
    expect(shownStoreUrl('sqlite:///a/b.db?x=y')).toBe('sqlite:///a/b.db?x=y');
  });

  it('has typed parameters, and knows them all', () => {
    const read = (query: string) => new UrlParameters(parseStoreUrl(`postgres://db/x?${query}`, 1));
    const parameters = read('a=on&b=7&c=1.5s');
    expect(parameters.oneOf('a', ['on', 'off'], 'off')).toBe('on');
    expect(parameters.whole('b', 1, 9, 3)).toBe(7);
    expect(parameters.durationMs('c', 1, 9_000, 3)).toBe(1_500);
    expect(parameters.text('d')).toBe(undefined);
    parameters.finish();
    expect(() => read('a=maybe').oneOf('a', ['on', 'off'], 'off')).toThrow(
      'parameter a is "maybe"; it must be on or off',
    );
    expect(() => read('b=10').whole('b', 1, 9, 3)).toThrow('a whole number from 1 to 9');
    expect(() => read('c=ever').durationMs('c', 1, 9, 3)).toThrow('a duration');
    expect(() => read('d=').text('d')).toThrow('parameter d is empty');
    const unknown = read('nonsense=1');
    unknown.text('known');
    expect(() => unknown.finish()).toThrow('unknown parameter nonsense; the known ones are known');
  });
});
