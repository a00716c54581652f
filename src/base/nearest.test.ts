import { describe, expect, it } from 'vitest';
import { nearest } from './nearest.ts';

const FLAGS = ['data-dir', 'listen-client-urls', 'advertise-client-urls', 'log-level', 'name'];

describe('nearest', () => {
  it.each([
    ['dta-dir', 'data-dir'],
    ['data-dri', 'data-dir'],
    ['listen-client-url', 'listen-client-urls'],
    ['nmae', 'name'],
    ['listen', 'listen-client-urls'],
    ['dir', 'data-dir'],
  ])('takes %s for %s', (name, meant) => {
    expect(nearest(name, FLAGS)).toBe(meant);
  });

  it.each(['', 'x', 'quota', 'verbose', 'urls'])('has no idea what "%s" means', (name) => {
    expect(nearest(name, FLAGS)).toBeUndefined();
  });
});
