import { expect, it } from 'vitest';
import { sizeText, spanText, speedText, table, wrap } from './text-layout.ts';

it('writes sizes, spans and speeds for people', () => {
  expect([0, 512, 1536, 25276510208, 2 ** 63].map(sizeText)).toEqual(['0 B', '512 B', '1.5 KiB', '23.5 GiB', '8 EiB']);
  expect([0, 59, 60, 3599, 15120, 273822].map(spanText)).toEqual([
    '0 s',
    '59 s',
    '1 min',
    '59 min',
    '4 h 12 min',
    '3 d 4 h',
  ]);
  expect([1.5, 100, 1000, 2500, 100000].map(speedText)).toEqual([
    '1.5 Mbit/s',
    '100 Mbit/s',
    '1 Gbit/s',
    '2.5 Gbit/s',
    '100 Gbit/s',
  ]);
});

it('breaks at spaces', () => {
  expect(wrap('a bb ccc dddddddddd e', 6)).toEqual(['a bb', 'ccc', 'dddddddddd', 'e']);
});

it('leaves empty columns out and wraps the last one below itself', () => {
  const rows = [
    ['eth0', undefined, '192.0.2.1/24 192.0.2.2/24'],
    ['bond0', '', ''],
  ];
  expect(table(['NAME', 'SPEED', 'ADDRESSES'], rows, 20)).toEqual([
    'NAME   ADDRESSES',
    'eth0   192.0.2.1/24',
    '       192.0.2.2/24',
    'bond0',
  ]);
});
