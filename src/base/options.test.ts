import { describe, expect, it } from 'vitest';
import { bytes, choice, duration, flag, integer, list, option, resolveOptions, text } from './options.ts';
import { UsageError } from './usage-error.ts';

const TABLE = {
  dataDir: option(text('path'), { flag: 'data-dir', default: 'here', group: 'g', help: 'h' }),
  quota: option(bytes(), { flag: 'quota', default: 0, group: 'g', help: 'h' }),
  interval: option(duration(100), {
    flag: 'interval',
    aliases: ['old-interval'],
    default: 1000,
    group: 'g',
    help: 'h',
  }),
  quiet: option(flag, { flag: 'quiet', default: false, group: 'g', help: 'h' }),
  ops: option(integer(1, 10), { flag: 'ops', default: 5, group: 'g', help: 'h' }),
  level: option(choice('low', 'high'), { flag: 'level', default: 'low', group: 'g', help: 'h' }),
  urls: option(list(text('url')), { flag: 'urls', default: ['a'], group: 'g', help: 'h' }),
};

function resolve(written: Record<string, string>, environment: Record<string, string> = {}) {
  return resolveOptions(TABLE, new Map(Object.entries(written)), environment);
}

describe('options', () => {
  it('have their defaults', () => {
    expect(resolve({})).toEqual({
      dataDir: 'here',
      quota: 0,
      interval: 1000,
      quiet: false,
      ops: 5,
      level: 'low',
      urls: ['a'],
    });
  });

  it('come from the flag before KEDGE_… before ETCD_… before the default', () => {
    const environment = { KEDGE_DATA_DIR: 'kedge', ETCD_DATA_DIR: 'etcd' };
    expect(resolve({ 'data-dir': 'flag' }, environment).dataDir).toBe('flag');
    expect(resolve({}, environment).dataDir).toBe('kedge');
    expect(resolve({}, { ETCD_DATA_DIR: 'etcd', KEDGE_DATA_DIR: '' }).dataDir).toBe('etcd');
    expect(resolve({}, { ETCD_OLD_INTERVAL: '5s' }).interval).toBe(5000);
  });

  it('are read by their kinds', () => {
    const values = resolve({ quota: '2Gi', interval: '1m', quiet: '', ops: '10', level: 'high', urls: ' x, y ,' });
    expect(values).toMatchObject({
      quota: 2 ** 31,
      interval: 60_000,
      quiet: true,
      ops: 10,
      level: 'high',
      urls: ['x', 'y'],
    });
    expect(resolve({ quiet: 'false' }).quiet).toBe(false);
  });

  it.each([
    [{ quota: 'lots' }, '--quota: "lots" is not a size'],
    [{ interval: '10' }, '--interval: "10" is not a duration'],
    [{ interval: '5ms' }, 'at least 100ms'],
    [{ quiet: 'maybe' }, '--quiet: "maybe" is not true or false'],
    [{ ops: '11' }, '--ops: "11" is not a whole number from 1 to 10'],
    [{ level: 'medium' }, '--level: "medium" is not one of low, high'],
  ])('say what was wrong with %j', (written, message) => {
    expect(() => resolve(written as Record<string, string>)).toThrow(UsageError);
    expect(() => resolve(written as Record<string, string>)).toThrow(message);
  });

  it('name the variable when the value came from there', () => {
    expect(() => resolve({}, { ETCD_OPS: 'x' })).toThrow('ETCD_OPS: "x"');
  });
});
