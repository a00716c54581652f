import { expect, it } from 'vitest';
import { firmwareText, parseCount, parseKernelSize, parseMeminfo, parseUevent, plainText } from './plain-text.ts';

it('shows names, and nothing that steers a terminal or turns text around', () => {
  expect(plainText('  SAMSUNG  MZQLB960\t \n')).toBe('SAMSUNG MZQLB960');
  expect(plainText('\x1b]0;owned\x07Disk \x1b[2J')).toBe(']0;owned Disk [2J');
  expect(plainText('a\u202eb\u200bc\u0085d')).toBe('a b c d');
  expect(plainText(Buffer.from([0x66, 0xff, 0x6f]))).toBe('f\ufffdo');
  expect(plainText('c3d9b867\0')).toBe('c3d9b867');
  expect(plainText('\0\0 \n')).toBeUndefined();
  expect(plainText(`${'ä'.repeat(300)}`)).toBe('ä'.repeat(256));
});

it('tells an answer of firmware from a placeholder', () => {
  for (const text of ['To Be Filled By O.E.M.', 'Default string', 'None', 'Not Specified', 'System Product Name']) {
    expect(firmwareText(text), text).toBeUndefined();
  }
  for (const text of ['0000000000000000', '0123456789', '...', 'N/A']) expect(firmwareText(text), text).toBeUndefined();
  for (const text of ['SYS-1029P-WTR', 'S298741X9', 'None Such Ltd', '0x1a2b3c4d'])
    expect(firmwareText(text)).toBe(text);
});

it('reads numbers only where they are exact', () => {
  expect([parseCount('42\n'), parseCount('0x1f'), parseCount('0')]).toEqual([42, 31, 0]);
  for (const text of [undefined, '', '-1', '1.5', '1e3', '99999999999999999999', '9007199254740993', 'constructor']) {
    expect(parseCount(text), text).toBeUndefined();
  }
});

it('reads sizes as the kernel writes them', () => {
  expect(parseKernelSize('32K')).toBe(32768);
  expect(parseKernelSize(' 24684092 kB')).toBe(24684092 * 1024);
  expect(parseKernelSize('22528K\n')).toBe(22528 * 1024);
  expect(parseKernelSize('99999999999999 GB')).toBeUndefined();
  expect(parseKernelSize('lots kB')).toBeUndefined();
});

it('reads meminfo of the machine and of a node, and uevents', () => {
  const machine = parseMeminfo('MemTotal:       1024 kB\nHugePages_Total:      12\nMemFree:  -5 kB\n');
  expect([...machine]).toEqual([
    ['MemTotal', 1048576],
    ['HugePages_Total', 12],
  ]);
  expect(parseMeminfo('Node 1 MemTotal:       98304000 kB\n').get('MemTotal')).toBe(98304000 * 1024);
  expect([...parseUevent('DRIVER=a=b\n=x\nnothing\nPCI_ID=8086:1533')]).toEqual([
    ['DRIVER', 'a=b'],
    ['PCI_ID', '8086:1533'],
  ]);
});
