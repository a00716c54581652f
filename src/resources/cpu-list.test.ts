import { expect, it } from 'vitest';
import { formatCpuList, parseCpuList } from './cpu-list.ts';

it('reads the kernel’s lists and writes them back', () => {
  for (const list of ['0', '0-3', '0,2,4', '0-1,4-5', '3,8-11,63'])
    expect(formatCpuList(parseCpuList(list))).toBe(list);
  expect(parseCpuList('0-2,5\n')).toEqual([0, 1, 2, 5]);
  expect(formatCpuList([5, 1, 2, 1])).toBe('1-2,5');
  expect(formatCpuList([])).toBe('');
});

it('takes what is no list for nothing', () => {
  for (const text of [undefined, '', '\n', 'x', '-1', '1-', '7-3', '0-99999999', '1;2']) {
    expect(parseCpuList(text), text).toEqual([]);
  }
  expect(parseCpuList('x,2,,4-')).toEqual([2]);
});

it('ends a list at the most CPUs that a machine may have', () => {
  expect(parseCpuList('0-99999')).toHaveLength(8192);
});
